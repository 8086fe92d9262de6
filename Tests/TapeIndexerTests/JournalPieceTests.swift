import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Journals that are taken in piece by piece.
@Suite struct JournalPieceTests {
  private struct Killed: Error {}

  /// Two writers with calls of all states, one of them still alive.
  private func store() throws -> (test: TestStore, alive: JournalWriter) {
    let test = try TestStore()
    let first = try test.writer(rollBytes: 4_000)
    for number in 0..<12 {
      TestCall.text(number, startedAt: noon + Int64(number) * second).record(with: first)
      _ = first.flush()
    }
    TestCall.unfinished(12, startedAt: noon + 12 * second, cause: nil).record(with: first)
    _ = first.flush()
    try first.close()
    let alive = try test.writer()
    for number in 20..<26 {
      TestCall.text(number, startedAt: noon + Int64(number) * second).record(with: alive)
      _ = alive.flush()
    }
    TestCall.unfinished(26, startedAt: noon + 26 * second, cause: nil).record(with: alive)
    _ = alive.flush()
    return (test, alive)
  }

  private func session(_ test: TestStore, budget: Int) throws -> IndexSession {
    let session = IndexSession(
      store: test.store, writer: try CatalogueWriter(path: test.store.cataloguePath), log: test.log)
    (session.budget, session.followingBudget) = (budget, budget)
    return session
  }

  private func removeCatalogue(_ test: TestStore) {
    for suffix in ["", "-wal", "-shm"] { unlink(test.store.cataloguePath + suffix) }
  }

  @Test(arguments: [1, 700, 5_000]) func theCatalogueIsTheSame(budget: Int) throws {
    let (test, alive) = try store()
    try Indexer(store: test.store, log: test.log).run()
    let whole = try dump(test.store.cataloguePath)
    removeCatalogue(test)
    let session = try session(test, budget: budget)
    var progress: [Int] = []
    try session.catchUp { progress.append($0.doneBytes) }
    #expect(try dump(test.store.cataloguePath) == whole)
    let journals = try test.store.archiveFiles().filter { $0.hasPrefix("J-") }
    #expect(session.report.journals == journals.count)
    #expect(session.report.calls == 20)
    #expect(progress == progress.sorted())
    withExtendedLifetime(alive) {}
  }

  /// What was read is there for others before all is read, and every row of it is whole.
  @Test func eachPieceIsVisible() throws {
    let (test, alive) = try store()
    let session = try session(test, budget: 1_500)
    var counts: [SQLValue] = []
    while try session.pass(refreshAll: false, { _ in }) {
      let sql =
        "SELECT count(*), sum(state = 'done' AND (leaf_hash IS NULL OR duration_ns IS NULL)) FROM calls"
      let row = try #require(try rows(test.store.cataloguePath, sql).first)
      counts.append(row[0])
      #expect(row[0] == .integer(0) || row[1] == .integer(0))
    }
    #expect(Set(counts.map { "\($0)" }).count > 4)
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(20)]])
    withExtendedLifetime(alive) {}
  }

  @Test func aRunThatDiesBetweenPiecesIsFinishedByTheNext() throws {
    let (test, alive) = try store()
    try Indexer(store: test.store, log: test.log).run()
    let whole = try dump(test.store.cataloguePath)
    for step in 1...20 {
      removeCatalogue(test)
      let session = try session(test, budget: 900)
      var written = 0
      session.onWrite = {
        written += 1
        if written == step { throw Killed() }
      }
      #expect(throws: Killed.self) { try session.catchUp { _ in } }
      try session.writer.close()
      try Indexer(store: test.store, log: test.log).run()
      #expect(try dump(test.store.cataloguePath) == whole, "died at row \(step)")
    }
    withExtendedLifetime(alive) {}
  }
}
