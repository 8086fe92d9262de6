import TapeArchive
import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct StatusTests {
  /// What is kept of segments from one time to the next is never older than the catalogue.
  @Test func whoAsksAgainIsToldTheSame() throws {
    let (test, engine) = try engine([.text(1, startedAt: noon), .midstreamError(2, startedAt: noon + second)])
    let counts = FileCounts()
    func check(_ step: String) throws {
      #expect(try engine.status(counts: counts) == engine.status(), "\(step)")
      #expect(try engine.status(counts: counts) == engine.status(), "\(step), again")
    }
    try check("a journal")
    func index() throws { try Indexer(store: test.store, log: test.log).run() }
    _ = try Sealer(store: test.store, log: test.log).seal()
    try index()
    try check("a segment")
    for number in 3...30 { try test.record(.midstreamError(number, startedAt: noon + Int64(number) * second)) }
    try index()
    try check("more calls")
    _ = try Sealer(store: test.store, log: test.log).seal()
    try index()
    try check("two segments")
    #expect(try engine.status(counts: counts)["defects"]?["error_frame"] == 29)
    let bad = try engine.entries(CallFilter(), limit: 3).map(\.id)
    _ = try Erasure(store: test.store, log: test.log).erase(bad, keepUsage: true)
    try index()
    try check("erased calls")
    #expect(try engine.status(counts: counts)["defects"]?["error_frame"] == 26)
    _ = try Erasure(store: test.store, log: test.log).erase([engine.entries(CallFilter(), limit: 1)[0].id])
    try index()
    try check("one more")
    #expect(try engine.status(counts: counts)["calls"]?["erased"] == 4)
  }

  @Test func countsAndSizesAreThoseOfTheStore() throws {
    let (test, engine) = try engine([
      .text(1, startedAt: noon), .midstreamError(2, startedAt: noon + second),
      .unfinished(3, startedAt: noon + 2 * second, cause: nil),
    ])
    let status = try engine.status()
    #expect(status["store"]?.string == test.store.path)
    #expect(status["calls"]?["total"] == 3)
    #expect(status["calls"]?["done"] == 1)
    #expect(status["calls"]?["upstream_error"] == 1)
    #expect(status["calls"]?["lost"] == 1)
    #expect(status["archive"]?["journals"] == 1)
    #expect(status["archive"]?["unsealed_calls"] == 3)
    #expect(status["archive"]?["ratio"] == .null)
    #expect(status["archive"]?["writers_live"] == 0)
    #expect(status["index"]?["lag_bytes"] == 0)
    #expect(status["defects"]?["error_frame"] == 1)
    #expect(status["gaps"]?["calls"] == 0)
    #expect(status["damage"] == [])

    let writer = try test.writer()
    TestCall.text(4, startedAt: noon + 3 * second).record(with: writer)
    _ = writer.flush()
    let later = try engine.status()
    #expect(later["archive"]?["writers_live"] == 1)
    #expect((later["index"]?["lag_bytes"]?.integer ?? 0) > 0)
    #expect(later["index"]?["lag_files"] == 1)
    try writer.close()
  }

  @Test func defectsAreCountedInCalls() throws {
    var broken = TestCall.text(1, startedAt: noon)
    for _ in 0..<3 { broken.frames.insert(Array("data: {oops\n\n".utf8), at: 0) }
    broken.offsetsNs = broken.frames.indices.map { Int64($0 + 1) * 1_000_000 }
    var other = TestCall.text(2, startedAt: noon + second)
    other.frames[0] = Array("data: {oops\n\n".utf8)
    let (test, engine) = try engine([broken, other, .text(3, startedAt: noon + 2 * second)])
    defer { withExtendedLifetime(test) {} }
    #expect(try engine.status()["defects"] == ["bad_frame": 2])
  }

  @Test func aStoreWithoutCatalogueHasAStatusToo() throws {
    let test = try TestStore()
    try test.record(.text(1, startedAt: noon))
    let status = try StoreStatus.json(of: test.store)
    #expect(status["calls"] == .null)
    #expect(status["archive"]?["journals"] == 1)
    #expect((status["index"]?["lag_bytes"]?.integer ?? 0) > 0)
    #expect(status["index"]?["problem"]?.string?.contains("tapedeck index") == true)
  }

  @Test func anEngineThatStaysReadsACatalogueThatWasMadeAgain() throws {
    let (test, engine) = try engine([.text(1, startedAt: noon)])
    #expect(unlink(test.store.cataloguePath) == 0)
    try test.record(.text(2, startedAt: noon + second))
    try Indexer(store: test.store, log: test.log).run()
    #expect(try engine.entries(CallFilter()).count == 2)
  }
}
