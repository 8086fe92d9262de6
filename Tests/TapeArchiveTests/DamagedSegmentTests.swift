import TapeArchive
import TapeTypes
import Testing

/// Segments whose explaining text, index, checksums or seek table is damaged: what lies between them is read all the
/// same, calls can be erased, and nothing else is lost by it.
@Suite struct DamagedSegmentTests {
  /// A part of the file that belongs to no call.
  enum Part: CaseIterable { case text, textHeader, index, sums, seekTable, seekFooter }

  static let damages: [[Part]] =
    Part.allCases.map { [$0] } + [
      [.text, .seekTable], [.textHeader, .seekTable], [.textHeader, .seekFooter], [.index, .seekTable],
      [.text, .index], [.text, .sums], [.textHeader, .index, .sums, .seekTable], [.sums, .seekFooter],
    ]

  struct Fixture {
    let files: MemoryFiles
    let clock = ManualClock()
    let store: Store
    let name: String
    /// As they were sealed.
    let entries: [SegmentEntry]
    let calls: [CallID: RecordedCall]
    let bytes: [UInt8]
    var path: String { store.archivePath + "/" + name }

    init() throws {
      let sealed = try Self.sealed.get()
      (name, entries, calls, bytes) = (sealed.name, sealed.entries, sealed.calls, sealed.bytes)
      files = sealed.files.copy()
      store = try memoryStore(files)
    }

    private static let sealed = Result { try Fixture(of: 2 * SegmentFormat.callsPerBlock + 20) }

    /// A segment of three blocks.
    private init(of count: Int) throws {
      var generator = Seeded(state: 41)
      files = MemoryFiles()
      store = try memoryStore(files)
      let writer = try JournalWriter(store: store, clock: clock, log: quiet)
      for index in 0..<count {
        let call = writer.open(makeOpen(&generator))
        writer.frame(call, 1, "data: {\"word\":\"w\(index)\",\"n\":\(index)}\n\n")
        writer.end(call, offsetNs: 2, cause: .endOfBody)
      }
      try writer.close()
      name = try #require(Sealer(store: store, log: quiet, clock: clock).seal().segments.first)
      entries = try SegmentReader(store: store, name: name).entries
      calls = try store.everything().calls
      bytes = files.bytes(store.archivePath + "/" + name)
    }

    /// Offset of each frame, by the seek table.
    var frames: [Range<Int>] {
      func number(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
      let count = number(bytes.count - 9)
      var start = 0
      return (0..<count).map { index in
        let size = number(bytes.count - 17 - 8 * count + 8 + 8 * index)
        defer { start += size }
        return start..<(start + size)
      }
    }

    func damage(_ parts: [Part]) {
      var changed = bytes
      for part in parts {
        switch part {
        case .text: changed[frames[0].lowerBound + 100] ^= 1
        case .textHeader: for place in 0..<8 { changed[place] = 0xAA }
        case .index: changed[frames[frames.count - 2].lowerBound + 100] ^= 1
        case .sums: changed[frames[frames.count - 1].lowerBound + 20] ^= 1
        case .seekTable: changed[frames[frames.count - 1].upperBound + 12] ^= 1
        case .seekFooter: changed[changed.count - 1] ^= 1
        }
      }
      files.set(path, changed)
    }

    var eraser: Eraser { Eraser(store: store, log: quiet, clock: clock, keeper: nil) }
    var sealer: Sealer { Sealer(store: store, log: quiet, clock: clock) }

    /// What the archive gives, and what is damaged.
    func read() throws -> (calls: [CallID: RecordedCall], damage: [Damage]) {
      var calls: [CallID: RecordedCall] = [:]
      var damage: [Damage] = []
      try ArchiveReader(store: store).allCalls(onDamage: { damage.append($0) }) { call, _ in calls[call.open.id] = call
      }
      return (calls, damage)
    }
  }

  @Test(arguments: damages) func everyCallIsReadAndTheDamageIsSaid(parts: [Part]) throws {
    let fixture = try Fixture()
    fixture.damage(parts)
    let (calls, damage) = try fixture.read()
    #expect(calls == fixture.calls)
    let report = try Verifier(store: fixture.store).run()
    #expect(!report.isSound)
    // Reading does without the checksums; verifying does not.
    if parts != [.sums] { #expect(damage.contains { $0.file == fixture.name }) }
  }

  @Test(arguments: damages) func callsAreErasedAndTheOthersStay(parts: [Part]) throws {
    let fixture = try Fixture()
    let root = try Verifier(store: fixture.store).run().root
    fixture.damage(parts)
    let erased = [fixture.entries[3].id, fixture.entries[SegmentFormat.callsPerBlock + 7].id]
    let report = try fixture.eraser.erase(erased)
    #expect(report.erased == erased)
    #expect(report.pending.isEmpty)
    #expect(report.damage.contains { $0.file == fixture.name }, "the damage is said before it is gone")
    let (calls, damage) = try fixture.read()
    #expect(damage == [])
    #expect(calls == fixture.calls.filter { !erased.contains($0.key) })
    let entries = try SegmentReader(store: fixture.store, name: fixture.name).entries
    #expect(entries.map(\.leafHash) == fixture.entries.map(\.leafHash))
    #expect(entries.filter(\.isErased).map(\.id) == erased)
    let after = try Verifier(store: fixture.store).run()
    #expect(after.damage == [])
    #expect(after.root == root)
    for name in fixture.store.archiveNames { #expect(!name.hasSuffix(".tmp")) }
  }

  /// With a damaged block beside: it stays as it is, and its calls are named.
  @Test(arguments: damages) func aDamagedBlockStaysWhenCallsOfAnotherAreErased(parts: [Part]) throws {
    let fixture = try Fixture()
    fixture.damage(parts)
    var bytes = fixture.files.bytes(fixture.path)
    // The magic number of the second block's text: without a seek table the block is not found at all.
    let hurt = fixture.frames[1 + 5 + 1]
    bytes[hurt.lowerBound] ^= 0xFF
    fixture.files.set(fixture.path, bytes)
    let callsPerBlock = SegmentFormat.callsPerBlock
    let lost = fixture.entries[callsPerBlock..<(2 * callsPerBlock)].map(\.id)
    let (first, second) = (fixture.entries[3].id, fixture.entries[callsPerBlock + 7].id)
    let report = try fixture.eraser.erase([first, second])
    #expect(report.erased == [first])
    let isNamed = !parts.contains(.index) || !parts.contains { $0 == .seekTable || $0 == .seekFooter }
    if isNamed {
      #expect(report.pending.map(\.id) == [second])
      #expect(report.damage.contains { $0.calls == lost })
    }
    let (calls, damage) = try fixture.read()
    #expect(calls == fixture.calls.filter { $0.key != first && !lost.contains($0.key) })
    #expect(damage.contains { isNamed ? $0.calls == lost : $0.calls.isEmpty })
    // The bytes of the block are all there still: who has its first four makes them readable.
    let block = bytes[fixture.frames[6].lowerBound..<fixture.frames[10].upperBound]
    #expect(fixture.files.bytes(fixture.path).contains(Array(block)))
    // It can be done again.
    #expect(try fixture.eraser.erase([fixture.entries[5].id]).erased == [fixture.entries[5].id])
    #expect(fixture.files.bytes(fixture.path).contains(Array(block)))
    #expect(try fixture.read().calls.count == calls.count - 1)
  }

  /// Sealing goes on, whatever is wrong with what was sealed before.
  @Test(arguments: damages) func othersAreSealedBehindIt(parts: [Part]) throws {
    let fixture = try Fixture()
    fixture.damage(parts)
    let writer = try JournalWriter(store: fixture.store, clock: fixture.clock, log: quiet)
    var generator = Seeded(state: 42)
    let expected = record(writer, &generator, calls: 4)
    try writer.close()
    #expect(try fixture.sealer.seal().sealedCalls == 4)
    let (calls, _) = try fixture.read()
    for call in expected { #expect(calls[call.open.id] == call) }
    // The place of the new segment is behind the damaged one.
    fixture.files.set(fixture.path, fixture.bytes)
    let report = try Verifier(store: fixture.store).run()
    #expect(report.damage == [])
    #expect(report.treeSize == fixture.entries.count + 4)
  }

  /// Bytes that were lost or put in move all that lies behind them.
  @Test(arguments: [-700, 0, 5_000]) func blocksThatMovedAreFound(change: Int) throws {
    let fixture = try Fixture()
    let frames = fixture.frames
    var bytes = fixture.bytes
    // In the first block's text, or the explaining text as a whole.
    let place = change == 0 ? 0..<frames[0].upperBound : frames[2].lowerBound + 40..<frames[2].lowerBound + 40
    bytes.replaceSubrange(
      change < 0 ? place.lowerBound..<(place.lowerBound - change) : place,
      with: [UInt8](repeating: 0x20, count: max(0, change)))
    fixture.files.set(fixture.path, bytes)
    let (calls, damage) = try fixture.read()
    let lost = change == 0 ? [] : fixture.entries.prefix(SegmentFormat.callsPerBlock).map(\.id)
    #expect(calls == fixture.calls.filter { !lost.contains($0.key) })
    #expect(Set(damage.flatMap(\.calls)).isSuperset(of: lost))
  }

  /// Nobody can say that a call is erased that was in a file of which too little is left to tell.
  @Test func aCallOfAFileThatCannotBeReadStaysPending() throws {
    let sealed = try SealedStore()
    let (name, ids) = sealed.segments[1]
    let whole = sealed.bytes(name)
    sealed.set(name, Array(whole[..<100]))
    let eraser = Eraser(store: sealed.store, log: quiet, keeper: nil)
    let other = sealed.segments[0].calls[0]
    let report = try eraser.erase([ids[1], other])
    #expect(report.erased == [other])
    #expect(report.pending.map(\.id) == [ids[1]])
    guard case .damaged(let file, _)? = report.pending.first?.reason else {
      return #expect(Bool(false), "\(report.pending)")
    }
    #expect(file == name)
    // With an undamaged copy in its place it goes, without that it goes with the file.
    sealed.set(name, whole)
    #expect(try eraser.erase([]).erased == [ids[1]])
    sealed.set(name, Array(whole[..<100]))
    #expect(try eraser.erase([ids[2]]).pending.map(\.id) == [ids[2]])
    try sealed.remove(name)
    let last = try eraser.erase([])
    #expect(last.pending.isEmpty)
    #expect(try ErasureList.pending(in: sealed.store).isEmpty)
  }
}
