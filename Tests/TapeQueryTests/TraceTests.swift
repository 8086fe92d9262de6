import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct TraceTests {
  /// The trace of `TestCall`s below 100.
  private static let trace = TestCall.hex(0x4BF9_2F00, 32)

  private func call(_ number: Int, parent: String? = nil, gaps: [Int64] = [10, 10], after ms: Int64 = 0) -> TestCall {
    var call = TestCall(number, startedAt: noon + ms * 1_000_000)
    for (index, gap) in gaps.enumerated() { call.addText("\(index) ", gapMs: gap) }
    call.add("data: [DONE]\n\n")
    if let parent { call.headers = [HeaderField("traceparent", "00-\(Self.trace)-\(parent)-01")] }
    return call
  }

  private func report(_ calls: [TestCall], stallMs: Int64 = 500) throws -> TraceReport {
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    return try engine.trace(Self.trace, stallNs: stallMs * 1_000_000)
  }

  @Test func callsStandUnderTheCallsThatMadeThem() throws {
    let root = call(1, parent: "00000000000000aa")
    let report = try report([root, call(2, parent: root.spanID, after: 100), call(3, after: 200)])
    let lines = report.lines.map { line in
      switch line {
      case .unrecorded(let id): "(\(id))"
      case .span(let span): "\(span.depth) \(span.offsetNs / 1_000_000) \(span.json["parent_span_id"]?.plain ?? "")"
      }
    }
    #expect(
      lines == ["(00000000000000aa)", "0 0 00000000000000aa", "1 100 \(root.spanID)", "0 200 null"])
    #expect(report.spans[1].json["parent_call_id"] == .string(root.id.description))
    #expect(report.lengthNs == 231_000_000)
    #expect(report.totals["calls"]?.integer == 3)
  }

  @Test func stallsAreTimesWithoutAFrame() throws {
    var silent = call(2, gaps: [10, 700], after: 10)
    silent.frames.removeLast()
    silent.offsetsNs.removeLast()
    silent.cause = .timeout
    silent.endOffsetNs = 5_711_000_000
    var left = silent
    left.id = TestCall(3, startedAt: noon + 20_000_000).id
    left.cause = .clientClosed
    left.clientClosedNs = 1_711_000_000
    let report = try report([call(1, gaps: [900, 499, 500, 1_200]), silent, left])
    func stalls(_ index: Int) -> String? { report.spans[index].json["stalls"]?.compactString }
    #expect(
      stalls(0) == #"[{"frame":2,"offset_ms":1900,"gap_ms":500},{"frame":3,"offset_ms":3100,"gap_ms":1200}]"#)
    #expect(stalls(1) == #"[{"frame":1,"offset_ms":711,"gap_ms":700},{"frame":null,"offset_ms":5711,"gap_ms":5000}]"#)
    #expect(stalls(2) == #"[{"frame":1,"offset_ms":711,"gap_ms":700},{"frame":null,"offset_ms":1711,"gap_ms":1000}]"#)
  }

  @Test func whatTheCatalogueRulesOutIsSeenInTheArchiveToo() throws {
    // The end of a stream that came to its end is no silence, however long the connection stayed open.
    var idle = call(1)
    idle.endOffsetNs = 9_000_000_000
    #expect(try report([idle, call(2, gaps: [10, 1_000])]).spans.map(\.stalls.count) == [0, 1])
  }

  @Test func callsWithoutTimesAndOpenCallsHaveAPlace() throws {
    var untimed = call(1)
    untimed.hasTimes = false
    var lost = call(2, after: 50)
    lost.cause = nil
    let report = try report([untimed, lost])
    #expect(report.spans[0].lengthNs == nil && report.spans[0].json["timings"]?["duration_ms"] == .null)
    #expect(report.spans[1].state == .lost && report.spans[1].lengthNs == 31_000_000)
    #expect(report.lengthNs == 81_000_000)
  }

  @Test func aTraceIsFoundByTheHeaderOfACallThatFailedEarly() throws {
    var refused = TestCall.refused(1, startedAt: noon)
    refused.headers = [HeaderField("traceparent", "00-\(TestCall.hex(0xABC, 32))-00000000000000aa-01")]
    let (test, engine) = try engine([refused])
    defer { withExtendedLifetime(test) {} }
    for name in [TestCall.hex(0xABC, 32), TestCall.hex(0xABC, 32).uppercased(), "@1"] {
      let report = try engine.trace(name, stallNs: 1)
      #expect(report.spans.count == 1 && report.spans[0].json["span_id"] == .null)
    }
    #expect(throws: TapeError.self) { try engine.trace("00", stallNs: 1) }
    do { _ = try engine.trace("0000", stallNs: 1) } catch let error as TapeError {
      #expect(error.code == .notFound && error.description.hasSuffix("there is \(TestCall.hex(0xABC, 32))"))
    }
  }
}
