import TapeArchive
import TapeIndexer
import TapeJSON
import TapePricing
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct CallMeterTests {
  private static let noonMs = noon / 1_000_000

  /// Calls by state, over all groups.
  private static func states(_ totals: CallTotals) -> [String: Int] {
    totals.groups.values.reduce(into: [:]) { $0.merge($1.calls, uniquingKeysWith: +) }
  }

  @Test func eachCallCountsOnceWhenItHasEnded() throws {
    let (test, _) = try engine([.text(1, startedAt: noon - hour), .text(2, startedAt: noon)])
    let meter = CallMeter(store: test.store, startMs: Self.noonMs)
    let writer = try test.writer()
    let open = TestCall.text(3, startedAt: noon + second)
    let handle = open.begin(with: writer)
    _ = writer.flush()
    try Indexer(store: test.store, log: test.log).run()
    #expect(Self.states(try meter.read(nowMs: Self.noonMs + 2_000).0) == ["done": 1])

    // It ends when the time in which calls are looked for has long gone on.
    open.addFrames(0..<open.frames.count, handle, with: writer)
    open.end(handle, with: writer)
    TestCall.midstreamError(4, startedAt: noon + 2 * hour).record(with: writer)
    _ = writer.flush()
    try writer.close()
    #expect(Self.states(try meter.read(nowMs: Self.noonMs + 7_000_000).0) == ["done": 1])
    try Indexer(store: test.store, log: test.log).run()
    for rebuild in [false, true] {
      if rebuild { try Indexer(store: test.store, log: test.log).run(rebuild: true) }
      let (totals, gauges) = try meter.read(nowMs: Self.noonMs + 7_300_000)
      #expect(Self.states(totals) == ["done": 2, "upstream_error": 1])
      #expect(totals.defects == ["error_frame": 1])
      #expect(gauges.lagBytes == 0)
      #expect(gauges.unsealedCalls == 4)
    }
  }

  @Test func aCallThatComesLateIsCountedStill() throws {
    let (test, _) = try engine([.text(1, startedAt: noon + 300 * second)])
    let meter = CallMeter(store: test.store, startMs: Self.noonMs)
    #expect(Self.states(try meter.read(nowMs: Self.noonMs + 300_000).0) == ["done": 1])
    let writer = try test.writer()
    TestCall.text(2, startedAt: noon + 10 * second).record(with: writer)
    _ = writer.flush()
    try writer.close()
    try Indexer(store: test.store, log: test.log).run()
    #expect(Self.states(try meter.read(nowMs: Self.noonMs + 301_000).0) == ["done": 2])
  }

  @Test func tokensAndCostAreThoseOfReports() throws {
    let (test, engine) = try engine((1...5).map { .text($0, startedAt: noon + Int64($0) * second) })
    let (totals, _) = try CallMeter(store: test.store, startMs: Self.noonMs).read(nowMs: Self.noonMs + 10_000)
    let sums = try #require(totals.groups.values.first)
    #expect(totals.groups.count == 1)
    let calls = try engine.calls(CallFilter())
    #expect(sums.frames == calls.reduce(0) { $0 + ($1["timings"]?["frames"]?.integer ?? 0) })
    #expect(sums.tokens["prompt"] == calls.reduce(0) { $0 + ($1["usage"]?["prompt_tokens"]?.integer ?? 0) })
    #expect(try engine.usage(CallFilter(), by: []).cost?.description == sums.usd)
  }
}
