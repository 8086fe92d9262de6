import TapeArchive
import TapeTestSupport
import Testing

@testable import TapeIndexer

/// Old segments go while one of their journals stays for a call that goes on.
@Suite struct RetentionIndexTests {
  /// A journal that stays, with a call that is sealed, and that segment removed.
  private func store() throws -> (test: TestStore, writer: JournalWriter, end: () -> Void) {
    let test = try TestStore()
    let writer = try test.writer(rollBytes: 1)
    let long = TestCall.text(1, startedAt: noon)
    let handle = long.begin(with: writer)
    long.addFrames(0..<1, handle, with: writer)
    TestCall.text(2, startedAt: noon + second).record(with: writer)
    _ = writer.flush()
    TestCall.text(3, startedAt: noon + 2 * second).record(with: writer)
    _ = writer.flush()
    let sealed = try Sealer(store: test.store, log: test.log).seal()
    #expect(sealed.sealedCalls == 2 && sealed.deletedJournals.isEmpty)
    return (
      test, writer,
      {
        long.addFrames(1..<long.frames.count, handle, with: writer)
        long.end(handle, with: writer)
      }
    )
  }

  @Test func theCatalogueIsThatOfARebuild() throws {
    let (test, writer, end) = try store()
    let indexer = Indexer(store: test.store, log: test.log)
    try indexer.run()
    #expect(Retention(keepNs: nil, keepBytes: 0).run(on: test.store, log: test.log).count == 1)
    try indexer.run()
    let run = try dump(test.store.cataloguePath)
    try indexer.run(rebuild: true)
    #expect(difference(run, try dump(test.store.cataloguePath)) == [])
    end()
    try writer.close()
  }

  /// What was removed is not sealed a second time from its journal: it would be in the tree twice.
  @Test func whatWasRemovedIsNotSealedAgain() throws {
    let (test, writer, end) = try store()
    #expect(Retention(keepNs: nil, keepBytes: 0).run(on: test.store, log: test.log).count == 1)
    end()
    try writer.close()
    #expect(try Sealer(store: test.store, log: test.log).seal().sealedCalls == 1)
    let report = try Verifier(store: test.store).run()
    #expect(report.damage == [] && report.treeSize == 3 && report.removedCalls == 2)
  }
}
