import TapeJSON
import TapePricing
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

/// Figures worked out by hand. gpt-4o: 2.50 in, 1.25 cached, 10.00 out, USD per million tokens.
@Suite struct UsageTests {
  private static let keys = [
    "group", "calls", "errors", "aborts", "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens",
    "reasoning_tokens", "cost_usd", "calls_without_usage", "calls_without_price", "ttft_p50_ms", "ttft_p95_ms",
    "duration_p50_ms", "duration_p95_ms", "ttft_p99_ms", "duration_p99_ms", "input_usd", "cached_usd", "output_usd",
    "reasoning_usd", "request_usd", "unpriced", "not_in_usage",
  ]

  /// ada: two calls of 41 ms with 100 + 20 (64 cached) and 10 + 3 tokens, one of them tagged twice; bob: an abort and
  /// an upstream cut, nothing reported; one call without identity by a model that no table has; a mock call.
  private func calls() -> [TestCall] {
    var unknownModel = TestCall(5, startedAt: noon + 4 * hour)
    unknownModel.add(
      #"data: {"id":"x","model":"nobody-9","provider":"nowhere","is_final":true,"usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8},"choices":[]}"#
        + "\n\n")
    unknownModel.add("data: [DONE]\n\n")
    return [
      .text(
        1, startedAt: noon, request: request("ada", thread: "t1", tags: ["red", "blue"]),
        usage: TestUsage(100, 20, cached: 64)),
      .text(2, startedAt: noon + hour, request: request("ada", thread: "t1", tags: ["red"]), usage: TestUsage(10, 3)),
      .unfinished(3, startedAt: noon + 2 * hour, cause: .clientClosed, request: request("bob")),
      .unfinished(4, startedAt: noon + 3 * hour, cause: .upstreamClosed, request: request("bob")),
      unknownModel,
      .text(
        6, startedAt: noon + 5 * hour,
        request: request("ada", extra: #","invoke_options":{"mock_response":"hello"}"#), usage: TestUsage(1000, 1000)),
    ]
  }

  private func rows(
    _ by: String, _ filter: CallFilter = CallFilter(), zone: TimeZoneRules = .utc, totals: Bool = false,
    top: Int? = nil,
    of calls: [TestCall]? = nil
  ) throws -> [JSONValue] {
    let (test, engine) = try engine(calls ?? self.calls())
    defer { withExtendedLifetime(test) {} }
    let answer = try engine.usage(
      filter, by: by.isEmpty ? [] : try UsageDimension.list(parsing: by), timeZone: zone, totals: totals, top: top)
    return Array(answer.rows)
  }

  private func line(_ row: JSONValue) -> String {
    Self.keys.prefix(16).map { $0 == "group" ? row[$0]?.compactString ?? "" : row[$0]?.plain ?? "?" }.joined(
      separator: " ")
  }

  @Test func keysAreThoseOfTheContractInTheirOrder() throws {
    for row in try rows("identity", totals: true) { #expect(row.keys == Self.keys) }
  }

  @Test func identitiesAreAddedUp() throws {
    let lines = try rows("identity", totals: true).map(line)
    // ada: 36·2.5 + 64·1.25 + 20·10 = 370; 10·2.5 + 3·10 = 55; together 425 millionths.
    #expect(
      lines == [
        #"{"identity":"ada"} 2 0 0 110 23 133 64 null 0.000425 0 0 11 11 41 41"#,
        #"{"identity":null} 1 0 0 7 1 8 null null null 0 1 null null 21 21"#,
        #"{"identity":"bob"} 2 1 1 null null null null null null 2 0 11 11 11 11"#,
        #"{} 5 1 1 117 24 141 64 null 0.000425 2 1 11 11 21 41"#,
      ])
  }

  @Test func aCallWithTwoTagsCountsInBothRowsAndOnceInTotals() throws {
    let lines = try rows("tag", totals: true).map { row in
      [
        row["group"]?.compactString ?? "", row["calls"]?.plain ?? "", row["total_tokens"]?.plain ?? "",
        row["cost_usd"]?.plain ?? "",
      ]
      .joined(separator: " ")
    }
    #expect(
      lines == [
        #"{"tag":"red"} 2 133 0.000425"#, #"{"tag":"blue"} 1 120 0.00037"#, #"{"tag":null} 3 8 null"#,
        #"{} 5 141 0.000425"#,
      ])
  }

  @Test func mockCallsCountOnlyWhenAskedForAndCostNothing() throws {
    var filter = CallFilter()
    filter.mock = .include
    filter.identity = "ada"
    let row = try #require(try rows("identity", filter).first)
    #expect(row["calls"]?.plain == "3")
    #expect(row["total_tokens"]?.plain == "2133")
    #expect(row["cost_usd"]?.plain == "0.000425")
    #expect(row["calls_without_price"]?.plain == "0")
  }

  /// A call of one chunk with this usage.
  private func call(_ number: Int, _ provider: String, _ model: String, usage: String, request: String = "{}")
    -> TestCall
  {
    var call = TestCall(number, startedAt: noon)
    call.request = Array(request.utf8)
    call.add(
      #"data: {"id":"x","model":"\#(model)","provider":"\#(provider)","is_final":true,"usage":\#(usage),"choices":[]}"#
        + "\n\n")
    call.add("data: [DONE]\n\n")
    return call
  }

  @Test func callsWithoutACostAreCountedByTheirReasons() throws {
    let good = #"{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}"#
    let calls = [
      call(1, "openai", "gpt-4o", usage: "null"), call(2, "openai", "gpt-4o", usage: #"{"prompt_tokens":-7}"#),
      call(3, "openai", "gpt-4o", usage: #"{"prompt_tokens":7.5,"completion_tokens":1}"#),
      call(
        4, "openai", "gpt-4o",
        usage: #"{"prompt_tokens":7,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#),
      call(5, "openai", "gpt-4o", usage: #"{"prompt_tokens":7}"#), call(6, "nowhere", "gpt-4o", usage: good),
      call(7, "openai", "nobody-9", usage: good), call(8, "openai", "nobody-9", usage: good),
      call(9, "openai", "whisper-1", usage: good), call(10, "openai", "gpt-4o", usage: good),
      call(11, "openai", "gpt-4o", usage: "null", request: request(extra: #","invoke_options":{"mock_response":"x"}"#)),
    ]
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    filter.mock = .include
    let answer = try engine.usage(filter, by: [])
    let row = try #require(answer.rows.first)
    #expect(
      row["unpriced"]?.compactString
        == #"{"no_usage":1,"bad_usage":4,"unknown_provider":1,"unknown_model":2,"no_rate":1}"#)
    // The mock call has no usage either, and a cost: none.
    #expect(row["calls_without_usage"]?.plain == "4" && row["calls_without_price"]?.plain == "6")
    #expect(answer.unpricedCalls == 9 && answer.cost?.description == "0.0000275")
    #expect(
      answer.unpricedModels.map { "\($0.name) \($0.calls)" } == [
        "openai/nobody-9 2", "nowhere/gpt-4o 1", "openai/whisper-1 1",
      ])
  }

  @Test func severalDimensionsAtOnce() throws {
    let groups = try rows("identity,state").map { "\($0["group"]?.compactString ?? "") \($0["calls"]?.plain ?? "")" }
    #expect(
      groups == [
        #"{"identity":"ada","state":"done"} 2"#, #"{"identity":null,"state":"done"} 1"#,
        #"{"identity":"bob","state":"client_abort"} 1"#, #"{"identity":"bob","state":"upstream_cut"} 1"#,
      ])
  }

  @Test func noDimensionGivesTheTotals() throws {
    #expect(try rows("").map(line) == rows("identity", totals: true).suffix(1).map(line))
    #expect(try rows("", totals: true).count == 1)
  }

  @Test func noCallGivesNoRow() throws {
    var filter = CallFilter()
    filter.identity = "nobody"
    #expect(try rows("identity", filter, totals: true).isEmpty)
  }

  @Test func topKeepsTheDearestAndTotalsStayWhole() throws {
    let kept = try rows("identity", totals: true, top: 1)
    #expect(kept.map { $0["group"]?.compactString } == [#"{"identity":"ada"}"#, "{}"])
    #expect(kept.last?["calls"]?.plain == "5")
  }

  @Test func metadataIsADimensionByItsText() throws {
    let calls = ["\"blue\"", "3", "true", "null"].enumerated().map { index, value in
      TestCall.text(index, startedAt: noon + Int64(index) * second, request: request(metadata: "{\"team\":\(value)}"))
    }
    let groups = try rows("meta:team", of: calls + [.text(9, startedAt: noon + hour)]).map {
      $0["group"]?.compactString ?? ""
    }
    #expect(
      groups.sorted() == [
        #"{"meta:team":"3"}"#, #"{"meta:team":"blue"}"#, #"{"meta:team":"null"}"#, #"{"meta:team":"true"}"#,
        #"{"meta:team":null}"#,
      ])
  }

  /// 2026-10-25: clocks in Amsterdam go from 03:00 back to 02:00 at 01:00Z.
  private func autumnNight() throws -> [TestCall] {
    let moments = [
      "2026-10-24T21:59:59Z", "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z",
      "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z", "2026-10-31T23:00:00Z",
    ]
    return try moments.enumerated().map { index, moment in
      .text(index, startedAt: try TimeParser.moment(moment, zone: .utc, nowNs: 0))
    }
  }

  @Test func daysAreThoseOfTheZoneAlsoWhenClocksChange() throws {
    let zone = try TimeZoneRules(named: "Europe/Amsterdam")
    let days = try rows("day", zone: zone, of: autumnNight()).map {
      "\($0["group"]?["day"]?.plain ?? "") \($0["calls"]?.plain ?? "")"
    }
    #expect(days == ["2026-10-24 1", "2026-10-25 4", "2026-10-26 1", "2026-11-01 1"])
    let months = try rows("month", zone: zone, of: autumnNight()).map {
      "\($0["group"]?["month"]?.plain ?? "") \($0["calls"]?.plain ?? "")"
    }
    #expect(months == ["2026-10 6", "2026-11 1"])
    let utc = try rows("day", of: autumnNight()).map {
      "\($0["group"]?["day"]?.plain ?? "") \($0["calls"]?.plain ?? "")"
    }
    #expect(utc == ["2026-10-24 2", "2026-10-25 4", "2026-10-31 1"])
  }

  @Test func theHourThatComesTwiceIsTwoHours() throws {
    let zone = try TimeZoneRules(named: "Europe/Amsterdam")
    let hours = try rows("hour", zone: zone, of: autumnNight()).map { $0["group"]?["hour"]?.plain ?? "" }
    #expect(
      hours == [
        "2026-10-24T23:00:00+02:00", "2026-10-25T00:00:00+02:00", "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00", "2026-10-25T23:00:00+01:00", "2026-10-26T00:00:00+01:00",
        "2026-11-01T00:00:00+01:00",
      ])
  }

  @Test func fromIsInclusiveAndToExclusive() throws {
    var filter = CallFilter()
    filter.from = noon + hour
    filter.to = noon + 3 * hour
    #expect(try rows("", filter).first?["calls"]?.plain == "2")
  }
}
