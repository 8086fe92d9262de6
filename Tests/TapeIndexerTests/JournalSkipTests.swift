import Foundation
import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

/// Journals that the catalogue has are not read again, and nothing is missed by that.
@Suite struct JournalSkipTests {
  /// Reads of journals, by their names.
  private func reads(of test: TestStore, _ body: () throws -> Void) rethrows -> [String: Int] {
    counter.reset()
    try body()
    return counter.counts
  }

  private let counter = CountingFiles()

  private func counted(_ test: TestStore) throws -> Store {
    try Store(path: test.store.path, access: .writing, files: counter, clock: SystemClock())
  }

  private func journals(_ test: TestStore) throws -> [String] {
    try test.store.archiveFiles().filter { $0.hasPrefix("J-") }
  }

  @Test func aJournalThatIsIndexedIsNotReadAgainForTheSakeOfAnother() throws {
    let test = try TestStore()
    try test.record(.text(1, startedAt: noon))
    let store = try counted(test)
    try Indexer(store: store, log: test.log).run()
    let old = try #require(try journals(test).first)
    try test.record(.text(2, startedAt: noon + second))
    let new = try #require(try journals(test).first { $0 != old })
    let counts = try reads(of: test) { try Indexer(store: store, log: test.log).run() }
    #expect(counts[new] ?? 0 > 0)
    #expect(counts[old] == nil)
    #expect(try rows(store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(2)]])
    #expect(try reads(of: test) { try Indexer(store: store, log: test.log).run() }.isEmpty)
  }

  @Test func aCallThatGoesOnHasItsJournalsReadAndNoOthers() throws {
    let test = try TestStore()
    try test.record(.text(1, startedAt: noon))
    // Of two writers of one millisecond either may be the first by name.
    let old = try #require(try journals(test).first)
    let store = try counted(test)
    let writer = try test.writer()
    TestCall.unfinished(2, startedAt: noon + second, cause: nil).record(with: writer)
    _ = writer.flush()
    try Indexer(store: store, log: test.log).run()
    try writer.close()
    let counts = try reads(of: test) { try Indexer(store: store, log: test.log).run() }
    #expect(counts[old] == nil && counts.count == 1)
    #expect(try rows(store.cataloguePath, "SELECT state FROM calls ORDER BY 1") == [[.text("done")], [.text("lost")]])
  }

  /// Behind its last whole batch a live journal may have what its writer takes back; it counts when the writer is dead.
  @Test func whatWasNotCommittedIsReadWhenItsWriterIsDead() throws {
    let test = try TestStore()
    let writer = try test.writer()
    TestCall.text(1, startedAt: noon).record(with: writer)
    _ = writer.flush()
    let name = try #require(try journals(test).first)
    let path = test.store.archivePath + "/" + name
    let committed = try test.store.files.contents(path, limit: 1 << 20)
    TestCall.text(2, startedAt: noon + second).record(with: writer)
    _ = writer.flush()
    let all = try test.store.files.contents(path, limit: 1 << 20)
    // The second batch without its batch record: as if its write went on.
    let end = try #require(all.lastRange(of: Array(" 0 batch ".utf8))).lowerBound - 8
    #expect(end > committed.count)
    let descriptor = try test.store.files.open(path, .readWrite)
    defer { test.store.files.close(descriptor) }
    try test.store.files.truncate(descriptor, to: end)
    try Indexer(store: test.store, log: test.log).run()
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(1)]])
    try test.store.files.writeAll(descriptor, Array(all[end...]))
    try writer.close()
    try test.store.files.truncate(descriptor, to: end)
    try Indexer(store: test.store, log: test.log).run()
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(2)]])
  }

  @Test func aJournalOfANewerVersionIsSaidByEveryRun() throws {
    let test = try TestStore()
    try test.record(.text(1, startedAt: noon))
    let name = try #require(try journals(test).first)
    let path = test.store.archivePath + "/" + name
    var bytes = try test.store.files.contents(path, limit: 1 << 20)
    let place = try #require(bytes.firstRange(of: Array("tapedeck-journal/1".utf8))).upperBound - 1
    bytes[place] = 0x32
    let batch = try #require(bytes.firstRange(of: Array(" 0 batch 1 ".utf8))).lowerBound
    let header = (try #require(bytes[..<batch].lastIndex(of: 0x0A))) + 1
    let digits = String(CRC32C.of(Array(name.utf8) + bytes[9..<header]), radix: 16)
    bytes.replaceSubrange(0..<8, with: Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8))
    let descriptor = try test.store.files.open(path, .readWrite)
    try test.store.files.truncate(descriptor, to: 0)
    try test.store.files.writeAll(descriptor, bytes)
    test.store.files.close(descriptor)
    for run in 1...3 {
      let report = try Indexer(store: test.store, log: test.log).run()
      #expect(report.refused.count == 1, "run \(run)")
      #expect(report.refused.first?.contains(name) == true)
      #expect(report.damage.count == (run == 1 ? 1 : 0))
    }
  }
}
