import TapeArchive
import TapeTypes
import Testing

/// Sealing where segments of the same calls are there already: no journal goes before its calls are read from where
/// they are, and no file is written over.
@Suite struct ResealTests {
  /// A store that was sealed, and its journal once more: as if the seal had been interrupted before it went.
  private struct Fixture {
    let files = MemoryFiles()
    let store: Store
    let journal: String
    let segment: String
    let calls: [CallID: RecordedCall]

    init() throws {
      store = try memoryStore(files)
      var generator = Seeded(state: 51)
      let writer = try JournalWriter(store: store, clock: ManualClock(), log: quiet)
      _ = record(writer, &generator, calls: 6)
      try writer.close()
      journal = try #require(store.archiveNames.first)
      let bytes = files.bytes(store.archivePath + "/" + journal)
      segment = try #require(Sealer(store: store, log: quiet).seal().segments.first)
      calls = try store.everything().calls
      files.set(store.archivePath + "/" + journal, bytes)
    }

    func path(_ name: String) -> String { store.archivePath + "/" + name }
    func seal() throws -> SealReport { try Sealer(store: store, log: quiet).seal() }
  }

  @Test func aSegmentThatNamesTheCallsAndCannotGiveThemIsNoReasonToRemoveTheJournal() throws {
    let fixture = try Fixture()
    var damaged = fixture.files.bytes(fixture.path(fixture.segment))
    let block = try #require(SegmentReader(store: fixture.store, name: fixture.segment).entries.first?.blockOffset)
    damaged[block + 20] ^= 1
    fixture.files.set(fixture.path(fixture.segment), damaged)
    let report = try fixture.seal()
    #expect(report.sealedCalls == 6)
    #expect(report.segments.count == 1)
    #expect(report.segments != [fixture.segment], "the damaged one is evidence")
    #expect(fixture.files.bytes(fixture.path(fixture.segment)) == damaged)
    #expect(!fixture.store.archiveNames.contains(fixture.journal))
    var calls: [CallID: RecordedCall] = [:]
    try ArchiveReader(store: fixture.store).allCalls { call, _ in calls[call.open.id] = call }
    #expect(calls == fixture.calls)
    #expect(try fixture.seal() == SealReport())
  }

  @Test(arguments: [0, 17, -1]) func aSegmentThatCannotBeReadAtAllIsNotWrittenOver(place: Int) throws {
    let fixture = try Fixture()
    let whole = fixture.files.bytes(fixture.path(fixture.segment))
    let damaged = place < 0 ? Array("no segment at all".utf8) : Array(whole.prefix(place))
    fixture.files.set(fixture.path(fixture.segment), damaged)
    #expect(try fixture.seal().sealedCalls == 6)
    #expect(fixture.files.bytes(fixture.path(fixture.segment)) == damaged)
    #expect(!fixture.store.archiveNames.contains(fixture.journal))
    fixture.files.set(fixture.path(fixture.segment), whole)
    #expect(try fixture.store.everything().calls == fixture.calls)
  }

  /// A copy that was put back has the time of its copying, or any other.
  @Test(arguments: [0, Int64.max / 2]) func noTimeOfAFileSaysWhichCallsItHas(modifiedNs: Int64) throws {
    let fixture = try Fixture()
    fixture.files.setModified(fixture.path(fixture.segment), modifiedNs)
    let report = try fixture.seal()
    #expect(report.sealedCalls == 0)
    #expect(report.deletedJournals == [fixture.journal])
    #expect(segmentsIn(fixture.store) == [fixture.segment])
  }

  @Test func callsOfASegmentThatRetentionRemovedAreNotSealedAgain() throws {
    let fixture = try Fixture()
    let retention = Retention(keepNs: nil, keepBytes: 0)
    let segment = fixture.files.bytes(fixture.path(fixture.segment))
    #expect(retention.run(on: fixture.store, clock: ManualClock(), log: quiet) == [fixture.segment])
    // One that was interrupted behind the leaf list goes on.
    fixture.files.set(fixture.path(fixture.segment), segment)
    #expect(retention.run(on: fixture.store, clock: ManualClock(), log: quiet) == [fixture.segment])
    let report = try fixture.seal()
    #expect(report.sealedCalls == 0)
    #expect(report.deletedJournals == [fixture.journal])
    #expect(segmentsIn(fixture.store).allSatisfy { $0.hasSuffix(".leaves") })
    #expect(try Verifier(store: fixture.store).run().damage == [])
  }
}
