import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

/// What an erasure makes of the catalogue.
@Suite struct ErasureIndexTests {
  /// Calls of two identities, sealed and indexed, and one that is not sealed.
  private func store() throws -> TestStore {
    let test = try TestStore()
    let start: Int64 = 1_763_640_000_000_000_000
    for number in 1...6 {
      let who = number % 2 == 0 ? #"{"id":"anna","email":"Anna@example.com"}"# : #"{"id":"bert"}"#
      let request = #"{"key":"bot","identity":\#(who),"messages":[{"role":"user","content":"question \#(number)"}]}"#
      try test.record(.text(number, startedAt: start + Int64(number) * 1_000_000_000, request: request))
      if number == 4 { _ = try Sealer(store: test.store, log: test.log).seal() }
    }
    try Indexer(store: test.store, log: test.log).run()
    return test
  }

  @Test(arguments: [false, true]) func theCatalogueIsThatOfARebuild(keepsUsage: Bool) throws {
    let test = try store()
    let erasure = Erasure(store: test.store, log: test.log)
    let found = try erasure.find(.identity("ANNA@EXAMPLE.COM"))
    #expect(found.count == 3)
    let report = try erasure.erase(found.map(\.id), keepUsage: keepsUsage)
    #expect(Set(report.erased) == Set(found.map(\.id)))
    #expect(report.pending.isEmpty)
    let path = test.store.cataloguePath
    let grown = try dump(path)
    #expect(try rows(path, "SELECT count(*) FROM erased") == [[.integer(3)]])
    #expect(try rows(path, "SELECT count(*) FROM calls") == [[.integer(keepsUsage ? 6 : 3)]])
    #expect(try rows(path, "SELECT sum(total_tokens) FROM v_usage_daily") == [[.integer(keepsUsage ? 78 : 39)]])
    #expect(!grown.contains { $0.lowercased().contains("anna") })
    try Indexer(store: test.store, log: test.log).run(rebuild: true)
    #expect(difference(grown, try dump(path)).isEmpty)
    #expect(try erasure.find(.identity("anna")).isEmpty)
  }

  /// Some clients send an email and no id.
  @Test(arguments: [false, true]) func anEmailAloneNamesItsCalls(isIndexed: Bool) throws {
    let test = try TestStore()
    let start: Int64 = 1_763_640_000_000_000_000
    for (number, who) in [
      #"{"email":"Eve@example.com"}"#, #"{"id":"eve","email":"eve@example.com"}"#, #"{"id":"eve"}"#,
      #"{"email":"other@example.com"}"#, "{}",
    ].enumerated() {
      let request = #"{"key":"bot","identity":\#(who)}"#
      try test.record(.text(number + 1, startedAt: start + Int64(number) * 1_000_000_000, request: request))
    }
    _ = try Sealer(store: test.store, log: test.log).seal()
    if isIndexed { try Indexer(store: test.store, log: test.log).run() }
    let erasure = Erasure(store: test.store, log: test.log)
    #expect(
      try erasure.find(.identity("eve@EXAMPLE.com")).map(\.startedAtNs) == (0..<3).map { start + $0 * 1_000_000_000 })
    #expect(try erasure.find(.identity("eve")).count == 2, "an id is not an email")
    #expect(try erasure.find(.identity("OTHER@example.com")).count == 1)
  }

  @Test func aCatalogueThatWasNotThereWhenCallsWereErasedCatchesUp() throws {
    let test = try store()
    let found = try Erasure(store: test.store, log: test.log).find(.identity("anna"))
    // The archive's part alone, as a recorder does it that ends.
    let report = try Eraser(store: test.store, log: test.log, keeper: nil).erase(found.map(\.id))
    #expect(report.pending.allSatisfy { $0.reason == .catalogue } && report.pending.count == 3)
    #expect(try !ErasureList.pending(in: test.store).isEmpty)
    #expect(try Indexer(store: test.store, log: test.log).run().erasedCalls == 3)
    #expect(try ErasureList.pending(in: test.store).isEmpty)
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(3)]])
  }

  @Test func whatIsOldIsFoundByItsStart() throws {
    let test = try store()
    let erasure = Erasure(store: test.store, log: test.log)
    let all = try erasure.find(.startedBefore(.max))
    #expect(all.count == 6)
    #expect(try erasure.find(.startedBefore(all[2].startedAtNs)).map(\.id) == all[..<2].map(\.id))
  }
}
