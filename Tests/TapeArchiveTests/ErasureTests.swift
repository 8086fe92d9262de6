@testable import TapeArchive
import TapeTypes
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Erasing: nothing of the call stays in any file, and everything of the others does.
@Suite struct ErasureTests {
  /// Words that only the calls to be erased have, in request, headers and response.
  static let secrets = ["anna.secret", "prompt-secret", "answer-secret", "header-secret"]

  struct Fixture {
    let files = MemoryFiles()
    let clock = ManualClock()
    let store: Store
    var generator: Seeded
    var others: [RecordedCall] = []
    var erased: [CallID] = []

    init(seed: Int) throws {
      store = try memoryStore(files)
      generator = Seeded(state: UInt64(seed))
    }

    func writer(rollBytes: Int = 64 << 20) throws -> JournalWriter {
      var options = JournalOptions()
      options.rollBytes = rollBytes
      return try JournalWriter(store: store, options: options, clock: clock, log: quiet)
    }

    mutating func secretOpen() -> CallOpen {
      var open = makeOpen(
        &generator, body: Array(#"{"identity":{"id":"anna.secret"},"prompt":"prompt-secret"}"#.utf8))
      open.headers = [HeaderField("X-Who", "header-secret")]
      erased.append(open.id)
      return open
    }

    /// Calls of others with calls to be erased in between.
    mutating func record(_ writer: JournalWriter, calls: Int = 8, secret: Int = 4) {
      let handles = (0..<secret).map { _ in writer.open(secretOpen()) }
      let before = TapeArchiveTests.record(writer, &generator, calls: calls / 2)
      for (index, handle) in handles.enumerated() {
        for word in ["data: ans", "wer-secret\n\n", "data: answer-secret \(index)\n\n"] {
          writer.frame(handle, 7, word)
        }
        writer.end(handle, offsetNs: 9, cause: .endOfBody)
      }
      others += before + TapeArchiveTests.record(writer, &generator, calls: calls - calls / 2)
    }

    var eraser: Eraser { Eraser(store: store, log: quiet, clock: clock, keeper: nil) }
    var sealer: Sealer { Sealer(store: store, log: quiet, clock: clock) }
  }

  /// Leaf hashes by segment, in order.
  static func leaves(_ store: Store) throws -> [String: [[UInt8]?]] {
    var leaves: [String: [[UInt8]?]] = [:]
    for name in segmentsIn(store) { leaves[name] = try SegmentReader(store: store, name: name).entries.map(\.leafHash) }
    return leaves
  }

  /// All calls, each read once.
  static func calls(
    _ store: Store, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [CallID: RecordedCall] {
    var calls: [CallID: RecordedCall] = [:]
    try ArchiveReader(store: store).allCalls { damage in
      Issue.record("\(damage)", sourceLocation: sourceLocation)
    } _: { call, _ in
      calls[call.open.id] = call
    }
    return calls
  }

  /// Every file has none of the words, as it lies and decompressed; the erased calls are tombstones, the others whole.
  static func expectGone(
    _ fixture: Fixture, in store: Store? = nil, _ files: MemoryFiles? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let (store, files) = (store ?? fixture.store, files ?? fixture.files)
    for path in files.paths {
      for word in secrets {
        #expect(!files.bytes(path).contains(Array(word.utf8)), "\(path) has \(word)", sourceLocation: sourceLocation)
      }
    }
    var items: [CallID: SegmentItem] = [:]
    for name in segmentsIn(store) where !name.hasSuffix(".tmp") {
      try SegmentReader(store: store, name: name).forEachItem { item, _, leaf in
        items[item.id] = item
        #expect(leaf.count == 32)
        guard let call = item.call else { return }
        for word in secrets {
          let inside = [call.raw, call.open.body, Array("\(call.open.headers)".utf8)]
          #expect(inside.allSatisfy { !$0.contains(Array(word.utf8)) }, sourceLocation: sourceLocation)
        }
      }
    }
    for id in fixture.erased {
      let isTombstone = items[id].map { $0.call == nil } ?? false
      #expect(isTombstone, "no tombstone of \(id)", sourceLocation: sourceLocation)
      let error = #expect(throws: TapeError.self) { try ArchiveReader(store: store).find(id) }
      #expect(error?.code == .erased, sourceLocation: sourceLocation)
    }
    let all = try calls(store, sourceLocation: sourceLocation)
    #expect(all.count == fixture.others.count, sourceLocation: sourceLocation)
    for call in fixture.others { #expect(all[call.open.id] == call, sourceLocation: sourceLocation) }
  }

  /// Who knew before where they lay.
  @Test func callsThatWereVoidedAreNotReadFromTheirPlaces() throws {
    var fixture = try Fixture(seed: 5)
    let writer = try fixture.writer()
    fixture.record(writer)
    try writer.close()
    let reader = ArchiveReader(store: fixture.store)
    var places: [JournalPlaces] = []
    var file = ""
    try reader.forEachRequest { request in
      if let place = request.places { places.append(place) }
      file = request.location.file
    }
    #expect(try reader.calls(at: places).count == fixture.others.count + fixture.erased.count)
    let name = try #require(JournalFormat.parse(fileName: file))
    let voided = try JournalErasure(store: fixture.store).void(
      Set(fixture.erased), in: file, writer: name.writer, sequence: name.sequence)
    #expect(voided > 0)
    let others = Dictionary(uniqueKeysWithValues: fixture.others.map { ($0.open.id, $0) })
    #expect(try reader.calls(at: places) == others)
  }

  @Test(arguments: 0..<3) func sealedCallsBecomeTombstonesAndLeavesStay(seed: Int) throws {
    var fixture = try Fixture(seed: seed)
    let writer = try fixture.writer()
    fixture.record(writer, calls: 300, secret: seed + 1)
    try writer.close()
    #expect(try fixture.sealer.seal().sealedCalls == 301 + seed)
    let before = try Self.leaves(fixture.store)
    let report = try fixture.eraser.erase(fixture.erased)
    #expect(Set(report.erased) == Set(fixture.erased))
    #expect(report.rewritten == Array(before.keys))
    #expect(report.pending.isEmpty)
    #expect(try Self.leaves(fixture.store) == before)
    try Self.expectGone(fixture)
    #expect(fixture.store.archiveNames == Array(before.keys) + ["checkpoint"])
    // Erased is erased: nothing is written again.
    let again = try fixture.eraser.erase(fixture.erased)
    #expect(again.erased.isEmpty && again.rewritten.isEmpty && again.pending.isEmpty)
  }

  @Test func closedJournalsAreSealedWithoutTheErasedCalls() throws {
    var fixture = try Fixture(seed: 20)
    let writer = try fixture.writer(rollBytes: 4000)
    fixture.record(writer)
    try writer.close()
    let hashes = Dictionary(
      uniqueKeysWithValues: try fixture.store.everything().calls.map { ($0.key, leafHash(of: $0.value)) })
    let report = try fixture.eraser.erase(fixture.erased)
    #expect(Set(report.erased) == Set(fixture.erased))
    try Self.expectGone(fixture)
    for name in segmentsIn(fixture.store) {
      for entry in try SegmentReader(store: fixture.store, name: name).entries {
        #expect(entry.leafHash == hashes[entry.id], "a tombstone has the leaf hash of its call")
      }
    }
  }

  @Test func aCallThatStreamsIsErasedWhenItEnds() throws {
    var fixture = try Fixture(seed: 21)
    let writer = try fixture.writer()
    let handle = writer.open(fixture.secretOpen())
    writer.frame(handle, 1, "data: answer-secret\n\n")
    fixture.others += record(writer, &fixture.generator, calls: 3)
    _ = writer.flush()
    let report = try fixture.eraser.erase(fixture.erased)
    #expect(report.erased.isEmpty)
    #expect(report.pending == [.init(id: fixture.erased[0], reason: .streaming)])
    // It ends, and the journal stays where it is until the recorder is asked for the next one.
    writer.frame(handle, 2, "data: more answer-secret\n\n")
    writer.end(handle, offsetNs: 3, cause: .endOfBody)
    _ = writer.flush()
    _ = try fixture.sealer.seal()
    let journal = try #require(fixture.store.archiveNames.first { $0.hasSuffix(".tape") })
    #expect(fixture.store.archiveNames.contains(journal + ".roll"))
    fixture.clock.advance(seconds: 2)
    _ = writer.flush()
    let seal = try fixture.sealer.seal()
    #expect(seal.erasedCalls == fixture.erased)
    try Self.expectGone(fixture)
    #expect(!fixture.store.archiveNames.contains { $0.hasSuffix(".roll") || $0 == "erasures" })
    try writer.close()
  }

  @Test func aJournalThatStaysForAnotherCallIsRidOfTheErasedOne() throws {
    var fixture = try Fixture(seed: 22)
    let writer = try fixture.writer()
    var long = RecordedCall(open: makeOpen(&fixture.generator, body: Array("{}".utf8)))
    let handle = writer.open(long.open)
    func add(_ text: String) {
      writer.frame(handle, Int64(long.frameCount), text)
      long.raw += Array(text.utf8)
      long.frameEnds.append(long.raw.count)
      if long.open.hasTimes { long.frameOffsetsNs.append(Int64(long.frameCount - 1)) }
    }
    add("data: one\n\n")
    fixture.record(writer)
    add("data: two\n\n")
    _ = writer.flush()
    fixture.clock.advance(seconds: 400)
    add("data: three\n\n")
    _ = writer.flush()
    let report = try fixture.eraser.erase(fixture.erased)
    #expect(Set(report.erased) == Set(fixture.erased))
    let journals = fixture.store.archiveNames.filter { $0.hasPrefix("J-") }
    #expect(journals.count == 2, "the first journal stays for the call that goes on")
    var live = long
    live.isLive = true
    fixture.others.append(live)
    try Self.expectGone(fixture)
    add("data: four\n\n")
    writer.end(handle, offsetNs: 99, cause: .endOfBody)
    try writer.close()
    long.end = CallEnd(
      offsetNs: 99, cause: .endOfBody, frames: 4, bytes: long.raw.count, sha256: sha256(long.raw))
    fixture.others[fixture.others.count - 1] = long
    try Self.expectGone(fixture)
    #expect(try fixture.sealer.seal().damage.isEmpty)
    try Self.expectGone(fixture)
    #expect(fixture.store.archiveNames == segmentsIn(fixture.store) + ["checkpoint"])
  }

  @Test func tornTailsDamagedJournalsAndUnfinishedFilesAreCleaned() throws {
    var fixture = try Fixture(seed: 23)
    let writer = try fixture.writer()
    fixture.record(writer)
    try writer.close()
    let journal = try #require(fixture.store.archiveNames.first)
    let path = fixture.store.archivePath + "/" + journal
    // A record in the middle is damaged, and the last one was never finished.
    var bytes = fixture.files.bytes(path)
    let place = try #require(bytes.firstRange(of: Array("data: answer-secret".utf8))?.lowerBound)
    bytes[place] ^= 0x20
    fixture.files.set(path, bytes + Array("00000000 900 part 1 2 3 4\nwho is anna.secret".utf8))
    #expect(!(try fixture.sealer.seal().damage.isEmpty))
    fixture.files.set(path + ".tmp", Array("anna.secret".utf8))
    #expect(fixture.store.archiveNames.contains(journal + ".damaged"))
    #expect(fixture.store.archiveNames.contains(journal + ".torn"))
    let report = try fixture.eraser.erase(fixture.erased)
    #expect(report.removed == [journal + ".torn"])
    #expect(report.rewritten.contains(journal + ".damaged"))
    try Self.expectGone(fixture)
    // What of the damaged journal is of the others is still there.
    let left = fixture.files.bytes(path + ".damaged")
    for call in fixture.others { #expect(left.contains(Array(call.open.id.description.utf8))) }
  }

  @Test func whatIsKeptOfUsageStaysInTheTombstoneUntilItIsErasedToo() throws {
    var fixture = try Fixture(seed: 24)
    let writer = try fixture.writer()
    fixture.record(writer)
    try writer.close()
    // Who seals without knowing usage leaves such calls where they are.
    let waiting = try fixture.eraser.erase(fixture.erased, keepUsage: true)
    #expect(waiting.pending.count == 4 && waiting.pending.allSatisfy { $0.reason == .usage })
    #expect(waiting.erased.isEmpty)
    let keeper: UsageKeeper = { call in Array(#"{"frames":\#(call.frameCount)}"#.utf8) }
    let knowing = Eraser(store: fixture.store, log: quiet, keeper: keeper)
    let report = try knowing.erase([])
    #expect(Set(report.erased) == Set(fixture.erased))
    try Self.expectGone(fixture)
    func kept() throws -> [[UInt8]?] {
      var kept: [[UInt8]?] = []
      for name in segmentsIn(fixture.store) {
        try SegmentReader(store: fixture.store, name: name).forEachItem { item, _, _ in
          if case .tombstone(let tombstone) = item { kept.append(tombstone.kept) }
        }
      }
      return kept
    }
    #expect(try kept() == Array(repeating: Array(#"{"frames":3}"#.utf8), count: 4))
    let leaves = try Self.leaves(fixture.store)
    _ = try fixture.eraser.erase(fixture.erased)
    #expect(try kept() == [nil, nil, nil, nil])
    #expect(try Self.leaves(fixture.store) == leaves)
    try Self.expectGone(fixture)
  }

  @Test func aDamagedBlockIsLeftAloneAndSaid() throws {
    var fixture = try Fixture(seed: 25)
    let writer = try fixture.writer()
    fixture.record(writer, calls: 4, secret: 1)
    try writer.close()
    _ = try fixture.sealer.seal()
    let name = segmentsIn(fixture.store)[0]
    let path = fixture.store.archivePath + "/" + name
    let entry = try #require(try SegmentReader(store: fixture.store, name: name).entries.first)
    var bytes = fixture.files.bytes(path)
    bytes[entry.blockOffset + 20] ^= 1
    fixture.files.set(path, bytes)
    let report = try fixture.eraser.erase(fixture.erased)
    #expect(report.erased.isEmpty)
    #expect(report.damage.contains { $0.file == name && $0.calls.contains(fixture.erased[0]) })
    #expect(fixture.files.bytes(path) == bytes)
    guard case .damaged(let file, _)? = report.pending.first?.reason else {
      Issue.record("it is not said to be pending")
      return
    }
    #expect(file == name)
  }

  @Test func aLineOfTheListThatIsNotWhatWasWrittenIsSaidAndErasesNothing() throws {
    var fixture = try Fixture(seed: 26)
    let writer = try fixture.writer()
    fixture.record(writer, calls: 2, secret: 0)
    try writer.close()
    let other = fixture.others[0].open.id
    let list = fixture.store.archivePath + "/erasures"
    fixture.files.set(list, Array("tapedeck-erasures/1\n00000000 1 archive all \(other)\n".utf8))
    let report = try fixture.sealer.seal()
    #expect(report.damage.map(\.file) == ["erasures"])
    try Self.expectGone(fixture)
    fixture.files.set(list, Array("tapedeck-erasures/2\n".utf8))
    #expect(throws: TapeError.self) { try fixture.eraser.erase([other]) }
  }

  /// Sealed calls, a journal that stays, a live one, a torn tail and a damaged journal, all with calls to be erased.
  static func everywhere() throws -> (fixture: Fixture, writer: JournalWriter) {
    var fixture = try Fixture(seed: 27)
    let first = try fixture.writer()
    fixture.record(first, calls: 4, secret: 2)
    try first.close()
    _ = try fixture.sealer.seal()
    let hurt = try fixture.writer()
    fixture.record(hurt, calls: 4, secret: 2)
    try hurt.close()
    let path = fixture.store.archivePath + "/" + (fixture.store.archiveNames.first { $0.hasPrefix("J-") } ?? "")
    var bytes = fixture.files.bytes(path)
    let place = try #require(bytes.firstRange(of: Array("data: answer-secret".utf8))?.lowerBound)
    bytes[place] ^= 0x20
    fixture.files.set(path, bytes + Array("00000000 900 part 1 2 3 4\nanna.secret".utf8))
    _ = try fixture.sealer.seal()
    fixture.clock.advance(seconds: 5)
    let writer = try fixture.writer()
    let long = RecordedCall(open: makeOpen(&fixture.generator, body: []), isLive: true)
    _ = writer.open(long.open)
    fixture.record(writer, calls: 4, secret: 2)
    _ = writer.flush()
    fixture.clock.advance(seconds: 400)
    _ = writer.flush()
    fixture.others.append(long)
    return (fixture, writer)
  }

  @Test func killedAtEveryStepTheNextRunFinishes() throws {
    let (fixture, writer) = try Self.everywhere()
    let whole = DyingFiles(fixture.files.copy())
    let clock = fixture.clock
    func erase(_ files: DyingFiles) throws {
      let store = try Store(path: "/s", access: .writing, files: files, clock: clock)
      _ = try Eraser(store: store, log: quiet, clock: clock, keeper: nil).erase(fixture.erased)
    }
    try erase(whole)
    #expect(whole.changes > 40)
    for lives in 0..<whole.changes {
      let disk = fixture.files.copy()
      #expect(throws: (any Error).self) { try erase(DyingFiles(disk, lives: lives)) }
      let store = try Store(path: "/s", access: .writing, files: disk, clock: clock)
      // Nothing of the others is lost at any moment, whatever the next run does.
      let between = try Self.calls(store)
      for call in fixture.others {
        var call = call
        call.isLive = false
        #expect(between[call.open.id] == call, "after \(lives) steps")
      }
      if lives % 2 == 0, disk.paths.contains("/s/archive/erasures") {
        _ = try Sealer(store: store, log: quiet, clock: clock).seal()
      } else {
        _ = try Eraser(store: store, log: quiet, clock: clock, keeper: nil).erase(fixture.erased)
      }
      var dead = fixture
      dead.others = dead.others.map { call in
        var call = call
        call.isLive = false
        return call
      }
      try Self.expectGone(dead, in: store, disk)
      #expect(!disk.paths.contains("/s/archive/erasures"))
    }
    try writer.close()
  }
}

extension [UInt8] {
  func contains(_ other: [UInt8]) -> Bool {
    withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      var start = 0
      while start + other.count <= count,
        let found = memchr(base + start, Int32(other[0]), count - start - other.count + 1)
      {
        if memcmp(found, other, other.count) == 0 { return true }
        start = UnsafeRawPointer(found) - base + 1
      }
      return false
    }
  }
}
