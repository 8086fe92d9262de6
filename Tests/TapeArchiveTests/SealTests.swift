import TapeArchive
import TapeTypes
import Testing

extension Store {
  /// All calls, and what is wrong with them.
  ///
  /// - Parameter whole: no call is expected to miss anything.
  func everything(whole: Bool = true) throws -> (calls: [CallID: RecordedCall], damage: [Damage]) {
    var calls: [CallID: RecordedCall] = [:]
    var damage: [Damage] = []
    var places: [CallLocation: Int] = [:]
    try ArchiveReader(store: self).allCalls(onDamage: { damage.append($0) }) { call, location in
      #expect(calls[call.open.id] == nil, "a call came twice")
      calls[call.open.id] = call
      // Every place leads back to the call; of a block's calls some will do, since each takes the block's decoding.
      guard places[location, default: 0] < 3 else { return }
      places[location, default: 0] += 1
      let again = try ArchiveReader(store: self).call(at: location, id: call.open.id)
      #expect(again == call)
    }
    if damage.isEmpty, whole {
      for call in calls.values { #expect(integrityProblem(of: call) == nil, "undamaged calls are whole, gaps or not") }
    }
    return (calls, damage)
  }

  var archiveNames: [String] { (try? files.list(archivePath)) ?? [] }
}

func segmentsIn(_ store: Store) -> [String] { store.archiveNames.filter { $0.hasPrefix("S-") } }

/// Sealing: what was in the journals is in the segments, to the byte, and the journals go.
@Suite struct SealTests {
  @Test(arguments: 0..<8) func sealedCallsAreWhatTheyWere(seed: Int) throws {
    var generator = Seeded(state: UInt64(100 + seed))
    let store = try memoryStore()
    var options = JournalOptions()
    if seed % 2 == 1 { options.rollBytes = 30_000 }
    let writer = try JournalWriter(store: store, options: options, clock: ManualClock(), log: quiet)
    let expected = record(writer, &generator, calls: 25, unended: 6)
    try writer.close()
    let before = try store.everything()
    #expect(before.damage.isEmpty)

    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.damage.isEmpty)
    #expect(report.sealedCalls == 25)
    #expect(Set(report.lostCalls) == Set(expected.filter { $0.end == nil }.map(\.open.id)))
    #expect(store.archiveNames == report.segments + ["checkpoint"])

    let after = try store.everything()
    #expect(after.damage.isEmpty)
    for call in expected {
      #expect(before.calls[call.open.id] == call)
      #expect(after.calls[call.open.id] == call)
      #expect(after.calls[call.open.id].map(leafHash) == leafHash(of: call))
    }
    let entries = try SegmentReader(store: store, name: report.segments[0]).entries
    #expect(entries.map(\.startedAtNs) == entries.map(\.startedAtNs).sorted())
  }

  @Test func sealingAgainDoesNothing() throws {
    var generator = Seeded(state: 1)
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, log: quiet)
    _ = record(writer, &generator, calls: 3)
    try writer.close()
    let first = try Sealer(store: store, log: quiet).seal()
    let second = try Sealer(store: store, log: quiet).seal()
    #expect(first.segments.count == 1)
    #expect(second == SealReport())
  }

  @Test func aLiveJournalIsLeftAlone() throws {
    var generator = Seeded(state: 2)
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, log: quiet)
    _ = record(writer, &generator, calls: 3)
    _ = writer.flush()
    #expect(try Sealer(store: store, log: quiet).seal() == SealReport())
    try writer.close()
    #expect(try Sealer(store: store, log: quiet).seal().sealedCalls == 3)
  }

  @Test func aCallThatGoesOnKeepsItsJournalsAndIsSealedLater() throws {
    var generator = Seeded(state: 3)
    let clock = ManualClock()
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, clock: clock, log: quiet)
    let long = makeOpen(&generator)
    let handle = writer.open(long)
    var expected = record(writer, &generator, calls: 4)
    for index in 0..<4 {
      writer.frame(handle, Int64(index), "data: \(index)\n\n")
      clock.advance(seconds: 400)
      #expect(writer.flush() == .written)
    }
    expected += record(writer, &generator, calls: 2)
    _ = writer.flush()

    let first = try Sealer(store: store, log: quiet).seal()
    #expect(first.sealedCalls == 4)
    #expect(first.deletedJournals.isEmpty)
    let open = try store.everything()
    #expect(open.damage.isEmpty)
    #expect(open.calls.count == 7)
    #expect(open.calls[long.id]?.isLive == true)
    // A second seal does not seal the four again.
    #expect(try Sealer(store: store, log: quiet).seal().segments.isEmpty)

    writer.end(handle, offsetNs: 9, cause: .endOfBody)
    try writer.close()
    let second = try Sealer(store: store, log: quiet).seal()
    #expect(second.sealedCalls == 3)
    #expect(segmentsIn(store) + ["checkpoint"] == store.archiveNames)
    let all = try store.everything()
    #expect(all.damage.isEmpty)
    #expect(all.calls[long.id]?.raw == Array("data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n".utf8))
    for call in expected { #expect(all.calls[call.open.id] == call) }
  }

  @Test func anInterruptedSealIsRedone() throws {
    var generator = Seeded(state: 4)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let expected = record(writer, &generator, calls: 6)
    try writer.close()
    // Full while the segment is written: the journal stays, and a part of the segment.
    files.setRoom(2000)
    #expect(throws: TapeError.self) { try Sealer(store: store, log: quiet).seal() }
    #expect(segmentsIn(store).allSatisfy { $0.hasSuffix(".tmp") })
    #expect(try store.everything().calls.count == 6)
    files.setRoom(.max)
    let journal = try #require(store.archiveNames.first { $0.hasPrefix("J-") })
    let bytes = files.bytes(store.archivePath + "/" + journal)
    #expect(try Sealer(store: store, log: quiet).seal().sealedCalls == 6)
    #expect(segmentsIn(store) + ["checkpoint"] == store.archiveNames)
    // Ended before the journal was removed: the calls are there once, and not sealed again.
    files.set(store.archivePath + "/" + journal, bytes)
    #expect(try store.everything().calls.count == 6)
    let again = try Sealer(store: store, log: quiet).seal()
    #expect(again.sealedCalls == 0)
    #expect(again.deletedJournals == [journal])
    let all = try store.everything()
    for call in expected { #expect(all.calls[call.open.id] == call) }
  }

  @Test func aTornTailIsSetAside() throws {
    var generator = Seeded(state: 5)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let expected = record(writer, &generator, calls: 2)
    try writer.close()
    let journal = try #require(store.archiveNames.first)
    files.set(
      store.archivePath + "/" + journal, files.bytes(store.archivePath + "/" + journal) + Array("3f00 torn".utf8))
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.torn == [journal + ".torn"])
    #expect(files.bytes(store.archivePath + "/" + journal + ".torn") == Array("3f00 torn".utf8))
    let all = try store.everything()
    for call in expected { #expect(all.calls[call.open.id] == call) }
    #expect(try ArchiveReader(store: store).files().map(\.kind) == [.torn, .segment, .checkpoint])
  }

  @Test func aDamagedJournalIsKeptAndItsCallsAreNamed() throws {
    var generator = Seeded(state: 6)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let handles = (0..<2).map { _ in writer.open(makeOpen(&generator)) }
    for index in 0..<10 {
      for handle in handles { writer.frame(handle, Int64(index), "data: \(index) \(index * 7)\n\n") }
    }
    for handle in handles { writer.end(handle, offsetNs: 1, cause: .endOfBody) }
    try writer.close()
    let journal = try #require(store.archiveNames.first)
    var bytes = files.bytes(store.archivePath + "/" + journal)
    let place = try #require(bytes.firstRange(of: Array("data: 4 28".utf8))?.lowerBound)
    bytes[place] ^= 1
    files.set(store.archivePath + "/" + journal, bytes)
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(!report.damage.isEmpty)
    #expect(report.sealedCalls == 2)
    #expect(store.archiveNames.contains(journal + ".damaged"))
    #expect(files.bytes(store.archivePath + "/" + journal + ".damaged") == bytes)
    // One of the two misses a frame, and its hash shows it.
    let calls = try store.everything(whole: false).calls.values
    #expect(calls.filter { $0.end?.sha256 != sha256($0.raw) }.count == 1)
    let hurt = try #require(calls.first { $0.end?.sha256 != sha256($0.raw) })
    #expect(report.damage.contains { $0.calls.contains(hurt.open.id) })
  }

  @Test func manyWritersShareASegmentAndManyCallsSeveralBlocks() throws {
    var generator = Seeded(state: 7)
    let store = try memoryStore()
    var expected: [RecordedCall] = []
    for _ in 0..<5 {
      let writer = try JournalWriter(store: store, log: quiet)
      expected += record(writer, &generator, calls: 70)
      try writer.close()
    }
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.segments.count == 1)
    #expect(report.deletedJournals.count == 5)
    let reader = try SegmentReader(store: store, name: report.segments[0])
    #expect(Set(reader.entries.map(\.blockOffset)).count >= 2)
    let all = try store.everything()
    for call in expected { #expect(all.calls[call.open.id] == call) }
  }

  @Test func twoSealersExcludeEachOther() throws {
    let store = try memoryStore()
    let held = try #require(try store.lock(wait: false))
    let error = #expect(throws: TapeError.self) { try Sealer(store: store, log: quiet).seal() }
    #expect(error?.code == .locked)
    held.release()
    #expect(try Sealer(store: store, log: quiet).seal() == SealReport())
  }

  @Test func aJournalOfANewerVersionIsNotTouched() throws {
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let name = "J-\(writer.writerID)-000001.tape"
    var generator = Seeded(state: 8)
    _ = record(writer, &generator, calls: 1)
    try writer.close()
    let path = store.archivePath + "/" + name
    let text = files.bytes(path)
    let at = try #require(text.firstRange(of: Array("tapedeck-journal/1".utf8)))
    var newer = text
    newer[at.upperBound - 1] = 0x32
    // The header's checksum, which starts from the file's name.
    let batch = try #require(newer.firstRange(of: Array(" 0 batch 1 ".utf8))?.lowerBound)
    let header = (try #require(newer[..<batch].lastIndex(of: 0x0A))) + 1
    let digits = CRC32C.of(Array(name.utf8) + newer[9..<header])
    newer.replaceSubrange(0..<8, with: Array(hex8(digits).utf8))
    files.set(path, newer)
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.damage.first?.message.contains("version 2") == true)
    #expect(files.bytes(path) == newer)
    #expect(store.archiveNames == [name])
  }
}

func hex8(_ value: UInt32) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 8 - digits.count) + digits
}
