import Synchronization
import TapeArchive
import TapeTestSupport
import TapeTypes
import Testing

/// One call must never keep others from being sealed.
@Suite struct UnsealableTests {
  /// What is read of a call when it is sealed is not what was read before: it stays where it is, all others go.
  @Test(arguments: [0, 3, 7]) func aCallThatCannotBeReadAgainStaysInItsJournal(number: Int) throws {
    let disk = MemoryFiles()
    let files = SpoilingFiles(disk)
    let store = try Store(path: "/s", access: .writing, files: files, clock: ManualClock())
    let expected = try recordEight(store)
    let journal = try #require(store.archiveNames.first { $0.hasPrefix("J-") })
    let path = "\(store.archivePath)/\(journal)"
    let bytes = disk.bytes(path)
    let id = Array("\(expected[number].open.id)".utf8)
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: id) })
    files.onSegment { _ in
      var changed = bytes
      changed[place] ^= 1
      disk.set(path, changed)
      return false
    }
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.unsealed.map(\.calls) == [[expected[number].open.id]])
    #expect(report.unsealed.map(\.file) == [journal])
    #expect(report.sealedCalls == 7)
    #expect(report.segments.count == 1)
    #expect(store.archiveNames == [journal] + report.segments + ["checkpoint"])

    files.onSegment { _ in false }
    disk.set(path, bytes)
    #expect(try Sealer(store: store, log: quiet).seal().sealedCalls == 1)
    #expect(store.archiveNames.filter { $0.hasPrefix("J-") } == [])
    let after = try store.everything()
    #expect(after.damage.isEmpty)
    for call in expected { #expect(after.calls[call.open.id] == call) }
  }

  /// A file that does not come back as it was written is written in parts, until the calls that are to blame are alone.
  @Test(arguments: [1, 2, 3, 4, 20]) func whatDoesNotComeBackIsSealedInParts(bad: Int) throws {
    let files = SpoilingFiles(MemoryFiles())
    let store = try Store(path: "/s", access: .writing, files: files, clock: ManualClock())
    let expected = try recordEight(store)
    files.onSegment { $0 <= bad }
    let report = try Sealer(store: store, log: quiet).seal()
    // The eight, four of them, two, one: the fourth attempt is the first with a call alone.
    #expect(report.unsealed.count == (bad < 4 ? 0 : bad == 4 ? 1 : 8))
    #expect(report.sealedCalls + report.unsealed.count == 8)
    #expect(!store.archiveNames.contains { $0.hasSuffix(".tmp") })
    files.onSegment { _ in false }
    #expect(try Sealer(store: store, log: quiet).seal().sealedCalls == report.unsealed.count)
    let after = try store.everything()
    #expect(after.damage.isEmpty)
    for call in expected { #expect(after.calls[call.open.id] == call) }
    #expect(try Verifier(store: store).run().damage.isEmpty)
  }

  /// A segment that only says that it has a call does not make the call's journal go: it is sealed again, elsewhere.
  @Test func aCallWhoseSegmentIsDamagedIsSealedAgainBeforeItsJournalGoes() throws {
    let disk = MemoryFiles()
    let store = try memoryStore(disk)
    let expected = try recordEight(store)
    let journal = try #require(store.archiveNames.first { $0.hasPrefix("J-") })
    let bytes = disk.bytes("\(store.archivePath)/\(journal)")
    let name = try #require(try Sealer(store: store, log: quiet).seal().segments.first)
    // The seal ended before it removed the journal; then the disk lost a byte of the block.
    disk.set("\(store.archivePath)/\(journal)", bytes)
    let place = try #require(try SegmentReader(store: store, name: name).entries.first).blockOffset
    var segment = disk.bytes("\(store.archivePath)/\(name)")
    segment[place + 40] ^= 1
    disk.set("\(store.archivePath)/\(name)", segment)

    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.sealedCalls == 8 && report.unsealed.isEmpty)
    #expect(report.deletedJournals == [journal] && !report.segments.contains(name))
    #expect(disk.bytes("\(store.archivePath)/\(name)") == segment)
    let calls = try store.everything(whole: false).calls
    #expect(calls == Dictionary(uniqueKeysWithValues: expected.map { ($0.open.id, $0) }))
  }

  /// A leaf list or a tombstone of a call that is in a journal does not make it go, unless its leaf hash is the call's.
  @Test(arguments: [false, true]) func aLeafListMakesNoOtherCallGo(isTrue: Bool) throws {
    let store = try memoryStore()
    let expected = try recordEight(store)
    let journal = store.archiveNames.filter { $0.hasPrefix("J-") }
    let list = LeafList(
      segment: "S-01KDVDNA00J5CVAMP8T83WH1R1-000001-000008.tape.zst", removedAtNs: 5, place: TreePlace(firstLeaf: 0),
      leaves: try expected.map {
        var leaf = leafHash(of: $0)
        if !isTrue { leaf[3] ^= 1 }
        return LeafList.Leaf(id: $0.open.id, hash: try #require(MerkleHash(leaf)))
      })
    try list.write(to: store)
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.unsealed.count == (isTrue ? 0 : 8))
    #expect(report.sealedCalls == 0)
    #expect(store.archiveNames.filter { $0.hasPrefix("J-") } == (isTrue ? [] : journal))
  }

  /// The recorder's hash of a response is taken for granted until the segment is read back; one that is wrong keeps
  /// neither its call nor others from being sealed as they are.
  @Test(arguments: [1, 5]) func aCallWithAnotherHashThanWasCountedIsSealedAsItIs(calls: Int) throws {
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, log: quiet)
    var generator = Seeded(state: 9)
    var expected: [RecordedCall] = []
    for number in 0..<calls {
      var call = RecordedCall(open: makeOpen(&generator, hasTimes: false))
      call.raw = Array("data: \(number)\n\n".utf8)
      call.frameEnds = [call.raw.count]
      let handle = writer.open(call.open)
      writer.frame(handle, nil, call.raw)
      let hash = number == 0 ? [UInt8](repeating: 7, count: 32) : sha256(call.raw)
      call.end = CallEnd(offsetNs: nil, cause: .endOfBody, frames: 1, bytes: call.raw.count, sha256: hash)
      if let end = call.end { writer.end(handle, asGiven: end) }
      expected.append(call)
    }
    try writer.close()
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.sealedCalls == calls && report.unsealed.isEmpty && report.segments.count == 1)
    let after = try store.everything(whole: false)
    for call in expected { #expect(after.calls[call.open.id] == call) }
    let entries = try SegmentReader(store: store, name: report.segments[0]).entries
    #expect(Set(entries.map(\.leafHash)) == Set(expected.map { leafHash(of: $0) }))
  }

  /// Frames that are all different, and like nothing, do not take a shape each.
  @Test func manyFramesThatAreLikeNoOtherComeBack() throws {
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, log: quiet)
    let open = CallOpen(
      id: CallID(high: 1 << 40, low: 1), startedAtNs: 1, origin: .record, hasTimes: false,
      salt: [UInt8](repeating: 1, count: 16))
    let handle = writer.open(open)
    var frames: [[UInt8]] = []
    // Letters make names of fields, so no two are of one shape.
    for number in 0..<20_000 {
      let letters = String(number, radix: 20).utf8.map { $0 < 0x3A ? $0 + 0x37 : $0 }
      frames.append(letters + (number % 3 == 0 ? Array("\n\n".utf8) : Array(":x\n\n".utf8)))
    }
    for frame in frames { writer.frame(handle, nil, frame) }
    writer.end(handle, offsetNs: nil, cause: .endOfBody)
    try writer.close()
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.sealedCalls == 1)
    // With a line in the text for each it is twice as much.
    #expect(report.segmentBytes < 120_000, "\(report.segmentBytes)")
    let call = try #require(try ArchiveReader(store: store).find(open.id)?.call)
    #expect(call.frameCount == 20_000)
    #expect(call.raw == frames.flatMap { $0 })
  }

  private func recordEight(_ store: Store) throws -> [RecordedCall] {
    var generator = Seeded(state: 7)
    let writer = try JournalWriter(store: store, clock: ManualClock(), log: quiet)
    let calls = record(writer, &generator, calls: 8)
    try writer.close()
    return calls
  }
}

/// A disk that writes something else than it was given, into segments that it is told to.
private final class SpoilingFiles: TapeFiles {
  private let disk: MemoryFiles
  private struct State {
    var segments = 0
    /// Told the number of each segment that is begun; true if it is to be spoilt.
    var onSegment: @Sendable (Int) -> Bool = { _ in false }
    /// Writes until the one that is spoilt.
    var countdown = -1
  }
  private let state = Mutex(State())

  init(_ disk: MemoryFiles) { self.disk = disk }

  func onSegment(_ body: @escaping @Sendable (Int) -> Bool) {
    state.withLock { ($0.segments, $0.onSegment, $0.countdown) = (0, body, -1) }
  }

  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    if mode == .create, path.hasSuffix(".tape.zst.tmp") {
      state.withLock { state in
        state.segments += 1
        // The explanation, then the head of the first block.
        state.countdown = state.onSegment(state.segments) ? 2 : -1
      }
    }
    return try disk.open(path, mode)
  }

  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    let isSpoilt = state.withLock { state in
      state.countdown -= 1
      return state.countdown == 0
    }
    guard isSpoilt else { return try disk.write(descriptor, bytes) }
    var copy = Array(bytes)
    copy[copy.count / 2] ^= 4
    // The pointer does not leave the call.
    let result = copy.withUnsafeBytes { bytes in Result { () throws(FileError) in try disk.write(descriptor, bytes) } }
    return try result.get()
  }

  func close(_ descriptor: Int32) { disk.close(descriptor) }
  func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    try disk.read(descriptor, at: offset, into: buffer)
  }
  func size(_ descriptor: Int32) throws(FileError) -> Int { try disk.size(descriptor) }
  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) { try disk.truncate(descriptor, to: bytes) }
  func sync(_ descriptor: Int32) throws(FileError) { try disk.sync(descriptor) }
  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try disk.lock(descriptor, mode, wait: wait)
  }
  func unlock(_ descriptor: Int32) { disk.unlock(descriptor) }
  func rename(_ path: String, to target: String) throws(FileError) { try disk.rename(path, to: target) }
  func unlink(_ path: String) throws(FileError) { try disk.unlink(path) }
  func syncDirectory(_ path: String) throws(FileError) { try disk.syncDirectory(path) }
  func list(_ path: String) throws(FileError) -> [String] { try disk.list(path) }
  func status(_ path: String) throws(FileError) -> FileStatus? { try disk.status(path) }
  func makeDirectory(_ path: String) throws(FileError) { try disk.makeDirectory(path) }
}
