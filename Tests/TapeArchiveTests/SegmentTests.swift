import Foundation
import TapeArchive
import TapeTypes
import Testing

/// Segments: stock tools read them, and no change goes unseen.
@Suite struct SegmentTests {
  private func smallSegment() throws -> (MemoryFiles, Store, name: String, calls: [RecordedCall]) {
    var generator = Seeded(state: 11)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    for hasTimes in [true, false] {
      let handle = writer.open(makeOpen(&generator, hasTimes: hasTimes))
      writer.head(handle, CallHead(offsetNs: hasTimes ? 3 : nil, status: 200))
      for index in 0..<3 { writer.frame(handle, hasTimes ? Int64(index * 1000) : nil, "data: \(index)\r\n\r\n") }
      writer.end(handle, offsetNs: hasTimes ? 5 : nil, cause: .endOfBody)
    }
    try writer.close()
    let name = try #require(Sealer(store: store, log: quiet).seal().segments.first)
    return (files, store, name, Array(try store.everything().calls.values))
  }

  /// The calls a segment gives, or nil where it says that it is damaged.
  private func read(_ store: Store, _ name: String) -> [CallID: RecordedCall]? {
    var calls: [CallID: RecordedCall] = [:]
    do {
      try SegmentReader(store: store, name: name).forEachCall { call, _, _ in calls[call.open.id] = call }
      return calls
    } catch {
      #expect(error is TapeError)
      return nil
    }
  }

  @Test func oneCallIsOneReadOfTheSegment() throws {
    let (files, store, name, calls) = try smallSegment()
    for call in calls {
      let entry = try #require(SegmentReader(store: store, name: name).entries.first { $0.id == call.open.id })
      _ = files.disk.takeLog()
      let read = try ArchiveReader(store: store).call(
        at: CallLocation(file: name, offset: entry.blockOffset), id: call.open.id)
      let asked = files.disk.takeLog()
      #expect(read == call)
      #expect(asked.filter { $0.kind == .read }.count == 1)
      #expect(asked.filter { $0.kind == .open }.map(\.path) == [store.archivePath + "/" + name])
    }
  }

  @Test func anyChangedBitIsFoundOrHarmless() throws {
    let (files, store, name, calls) = try smallSegment()
    let path = store.archivePath + "/" + name
    let bytes = files.bytes(path)
    var found = 0
    for offset in bytes.indices {
      for bit in [offset % 8, 7] {
        var changed = bytes
        changed[offset] ^= 1 << UInt8(bit)
        files.set(path, changed)
        guard let read = read(store, name) else {
          found += 1
          continue
        }
        #expect(read == Dictionary(uniqueKeysWithValues: calls.map { ($0.open.id, $0) }), "byte \(offset) bit \(bit)")
      }
    }
    #expect(found > bytes.count)
  }

  @Test func aSegmentCutAnywhereIsFound() throws {
    let (files, store, name, _) = try smallSegment()
    let path = store.archivePath + "/" + name
    let bytes = files.bytes(path)
    for length in bytes.indices {
      files.set(path, Array(bytes[..<length]))
      #expect(read(store, name) == nil, "cut at \(length)")
    }
  }

  @Test func aDamagedBlockNamesItsCallsAndTheOthersAreRead() throws {
    var generator = Seeded(state: 12)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let expected = record(writer, &generator, calls: 400)
    try writer.close()
    let name = try #require(Sealer(store: store, log: quiet).seal().segments.first)
    let entries = try SegmentReader(store: store, name: name).entries
    let second = try #require(entries.last?.blockOffset)
    var bytes = files.bytes(store.archivePath + "/" + name)
    bytes[second + 20] ^= 1
    files.set(store.archivePath + "/" + name, bytes)
    var damage: [Damage] = []
    var read = 0
    try ArchiveReader(store: store).allCalls(onDamage: { damage.append($0) }) { _, _ in read += 1 }
    #expect(damage.map(\.calls) == [entries.filter { $0.blockOffset == second }.map(\.id)])
    #expect(read + damage[0].calls.count == expected.count)
  }

  /// What is ruined at the end of a file of several blocks.
  enum Ruin: String, CaseIterable { case seekTable, index, both, indexAndABlock, cut }

  @Test(arguments: Ruin.allCases) func withoutSeekTableOrIndexTheBlocksAreFound(ruin: Ruin) throws {
    var generator = Seeded(state: 14)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let expected = record(writer, &generator, calls: 400)
    try writer.close()
    let name = try #require(Sealer(store: store, log: quiet).seal().segments.first)
    let entries = try SegmentReader(store: store, name: name).entries
    let path = store.archivePath + "/" + name
    var bytes = files.bytes(path)
    // Behind the index: the checksums of all frames, and the seek table with a line for each and for them.
    let frames = bytes.suffix(9).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    let table = bytes.count - 17 - frames * 8
    let indexEnd = table - 12 - 4 * (frames - 1)
    if ruin == .cut { bytes.removeLast(40) }
    if ruin == .seekTable || ruin == .both { bytes[table + 17] ^= 1 }
    if ruin == .index || ruin == .both || ruin == .indexAndABlock { bytes[indexEnd - 10] ^= 1 }
    let second = try #require(entries.last?.blockOffset)
    if ruin == .indexAndABlock { bytes[second - 5] ^= 1 }
    files.set(path, bytes)

    var damage: [Damage] = []
    var read: [CallID: RecordedCall] = [:]
    try ArchiveReader(store: store).allCalls(onDamage: { damage.append($0) }) { call, _ in read[call.open.id] = call }
    #expect(damage.first?.file == name)
    let lost = ruin == .indexAndABlock ? entries.filter { $0.blockOffset != second }.map(\.id) : []
    #expect(damage.flatMap(\.calls) == lost)
    #expect(
      read == Dictionary(uniqueKeysWithValues: expected.filter { !lost.contains($0.open.id) }.map { ($0.open.id, $0) }))
    let place = CallLocation(file: name, offset: second)
    let last = try #require(entries.last?.id)
    #expect(try ArchiveReader(store: store).call(at: place, id: last) == read[last])
    #expect(self.read(store, name) == nil)
  }

  @Test func aSegmentOfANewerVersionIsRefused() throws {
    let (files, store, name, _) = try smallSegment()
    let path = store.archivePath + "/" + name
    // The explaining text is short enough to be stored as it is written, at least its first word.
    var bytes = files.bytes(path)
    guard let at = bytes.firstRange(of: Array("tapedeck-segment/1 ".utf8)) else { return }
    bytes[at.upperBound - 2] = 0x32
    files.set(path, bytes)
    #expect(read(store, name) == nil)
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zstd")))
  func stockZstdTestsAndShowsASegment() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tapedeck-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let store = try Store(path: directory, access: .writing)
    var generator = Seeded(state: 13)
    let writer = try JournalWriter(store: store, log: quiet)
    let open = makeOpen(&generator, body: Array("the question".utf8))
    let handle = writer.open(open)
    for word in ["data: what is our", " refund policy", "?\n\n"] { writer.part(handle, 1, word) }
    writer.frame(handle, 2, [])
    writer.end(handle, offsetNs: 3, cause: .endOfBody)
    try writer.close()
    let name = try #require(Sealer(store: store, log: quiet).seal().segments.first)
    let path = store.archivePath + "/" + name
    #expect(try run("/usr/bin/zstd", "-t", path).status == 0)
    let text = try run("/usr/bin/zstd", "-dc", path)
    #expect(text.status == 0)
    let shown = String(decoding: text.output, as: UTF8.self)
    #expect(shown.hasPrefix("tapedeck-segment/1 template/1\n"))
    #expect(shown.contains("# \(open.id) "))
    #expect(shown.contains("\(open.id) /request the question\n"))
    #expect(shown.contains("\(open.id) /frame data: what is our refund policy?␛0A␛0A\n"))
  }

  private func run(_ program: String, _ arguments: String...) throws -> (status: Int32, output: Data) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }
}
