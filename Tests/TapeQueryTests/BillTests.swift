import TapeJSON
import TapePricing
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeQuery

/// Figures worked out by hand. gpt-4o: 2.50 in, 10.00 out, USD per million tokens.
@Suite struct BillTests {
  private func bill(_ csv: String) throws -> Bill { try Bill(csv: Array(csv.utf8), name: "bill.csv") }

  @Test(arguments: [
    "day,model,tokens,usd\n2026-11-20,gpt-4o,13,0.1\n", "Day,Model,Tokens,USD\r\n2026-11-20,gpt-4o,13,0.1",
    "\u{FEFF}usd,tokens,model,day\n0.1,13,gpt-4o,2026-11-20\n",
    "\"day\", model ,tokens,usd\n2026-11-20, gpt-4o,13,$0.1\n",
    "day,model,tokens,usd\n\n\"2026-11-20\",\"gpt-4o\",\"13\",\"0.10\"\n\n",
  ])
  func columnsComeInAnyOrderAndCase(csv: String) throws {
    let lines = try bill(csv).lines
    #expect(lines.count == 1)
    let line = try #require(lines.first)
    #expect(line.day == "2026-11-20" && line.model == "gpt-4o" && line.tokens == 13 && line.usd.description == "0.1")
  }

  @Test(arguments: [
    ("1234", "12.34", 1234, "12.34"), ("\"1,234,567\"", "\"$1,234.50\"", 1_234_567, "1234.5"),
    ("0", "-$0.5", 0, "-0.5"),
    ("7", "0.000000000001", 7, "0.000000000001"), ("7", "1e-7", 7, "0.0000001"),
  ])
  func amountsAreExact(tokens: String, usd: String, wantTokens: Int, wantUSD: String) throws {
    let line = try #require(try bill("day,model,tokens,usd\n2026-11-20,m,\(tokens),\(usd)").lines.first)
    #expect(line.tokens == wantTokens && line.usd.description == wantUSD)
  }

  @Test(arguments: [
    ("", "it is empty"), ("\n", "it is empty"),
    ("date,model,tokens,usd\n", "missing: day; not known: date"),
    ("day,model,tokens,cost,project\n", "missing: usd; not known: cost, project"),
    ("day,model,tokens,usd,region\n", "not known: region"), ("day,model,tokens\n", "missing: usd"),
    ("day,model,tokens,usd,usd\n", "twice"), ("day;model;tokens;usd\n", "not known: day;model;tokens;usd"),
    ("day,model,tokens,usd\n20.11.2026,m,1,1\n", "line 2: day is '20.11.2026'"),
    ("day,model,tokens,usd\n2026-02-30,m,1,1\n", "line 2: day"),
    ("day,model,tokens,usd\n2026-2-3,m,1,1\n", "line 2: day"),
    ("day,model,tokens,usd\n2026-11-20,,1,1\n", "line 2 has no model"),
    ("day,model,tokens,usd\n2026-11-20,m,1.5,1\n", "line 2: tokens is '1.5'"),
    ("day,model,tokens,usd\n2026-11-20,m,-1,1\n", "line 2: tokens"),
    ("day,model,tokens,usd\n2026-11-20,m,,1\n", "tokens"),
    ("day,model,tokens,usd\n2026-11-20,m,1,\n", "line 2: usd is ''"),
    ("day,model,tokens,usd\n2026-11-20,m,1,\"1,5\"\n", "line 2: usd is '1,5'"),
    ("day,model,tokens,usd\n2026-11-20,m,1,1 EUR\n", "line 2: usd is '1 EUR'"),
    ("day,model,tokens,usd\n2026-11-20,m,1\n", "line 2 has 3 fields, not 4"),
    ("day,model,tokens,usd\n2026-11-20,m,1,2,3\n", "line 2 has 5 fields"),
    ("day,model,tokens,usd\n2026-11-20,\"m\nn\",1,1\n2026-11-21,m,x,1\n", "line 4: tokens"),
    ("day,model,tokens,usd\n2026-11-20,\"m,1,1\n", "the quote on line 2 is never closed"),
    ("day,model,tokens,usd\n2026-11-20,\"m\"x,1,1\n", "behind a closing quote"),
  ])
  func aBillThatCannotBeReadSaysWhere(csv: String, problem: String) {
    let error = #expect(throws: TapeError.self) { try bill(csv) }
    #expect(error?.code == .failed && error?.description.contains("bill.csv") == true)
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
  }

  private func rows(_ csv: String, _ calls: [TestCall], zone: TimeZoneRules = .utc) throws -> [String] {
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    let comparison = try engine.compare(CallFilter(), with: try bill("day,model,tokens,usd\n" + csv), timeZone: zone)
    return comparison.rows.map { row in
      (row.members ?? []).filter { $0.key != "models" }.map {
        $0.key == "group" ? $0.value.compactString : $0.value.plain
      }.joined(separator: " ")
    }
  }

  private var twoDays: [TestCall] {
    // 100·2.5 + 20·10 = 450 and 10·2.5 + 3·10 = 55 millionths.
    [
      .text(1, startedAt: noon, usage: TestUsage(100, 20)), .text(2, startedAt: noon + hour, usage: TestUsage(10, 3)),
      .text(3, startedAt: noon + 24 * hour, usage: TestUsage(10, 3)),
    ]
  }

  @Test func sumsStandBesideTheBillByDayAndModel() throws {
    let lines = try rows(
      "2026-11-20,GPT-4o,100,0.0005\n2026-11-20,gpt-4o,33,0.000005\n2026-11-21,gpt-4o,20,0.0001\n", twoDays)
    #expect(
      lines == [
        #"{"day":"2026-11-20","model":"gpt-4o"} both 2 133 133 0 0.000505 0.000505 0 0 0"#,
        #"{"day":"2026-11-21","model":"gpt-4o"} both 1 13 20 -7 0.000055 0.0001 -0.000045 0 0"#,
        #"{} both 3 146 153 -7 0.00056 0.000605 -0.000045 0 0"#,
      ])
  }

  @Test func whatOnlyOneSideHasIsThere() throws {
    let lines = try rows("2026-11-20,gpt-4o,133,0.000505\n2026-11-20,o3,5,0.25\n2026-11-22,gpt-4o,1,1\n", twoDays)
    #expect(
      lines == [
        #"{"day":"2026-11-20","model":"gpt-4o"} both 2 133 133 0 0.000505 0.000505 0 0 0"#,
        #"{"day":"2026-11-20","model":"o3"} bill 0 null 5 -5 null 0.25 -0.25 0 0"#,
        #"{"day":"2026-11-21","model":"gpt-4o"} ours 1 13 null 13 0.000055 null 0.000055 0 0"#,
        #"{"day":"2026-11-22","model":"gpt-4o"} bill 0 null 1 -1 null 1 -1 0 0"#,
        #"{} both 3 146 139 7 0.00056 1.250505 -1.249945 0 0"#,
      ])
  }

  @Test func whatCouldNotBePricedLeavesTheDifferenceOpen() throws {
    var call = TestCall(7, startedAt: noon)
    call.add(
      #"data: {"id":"x","model":"nobody-9","provider":"nowhere","is_final":true,"usage":{"prompt_tokens":7,"completion_tokens":1},"choices":[]}"#
        + "\n\n")
    call.add("data: [DONE]\n\n")
    let silent = TestCall.text(8, startedAt: noon, usage: nil)
    let lines = try rows("2026-11-20,nowhere/nobody-9,9,0.5\n2026-11-20,gpt-4o,9,0.5\n", [call, silent])
    #expect(
      lines == [
        #"{"day":"2026-11-20","model":"gpt-4o"} both 1 null 9 null null 0.5 null 1 0"#,
        #"{"day":"2026-11-20","model":"nowhere/nobody-9"} both 1 8 9 -1 null 0.5 null 0 1"#,
        #"{} both 2 8 18 -10 null 1 null 1 1"#,
      ])
  }

  @Test func daysAreThoseOfTheZone() throws {
    let late = TestCall.text(1, startedAt: noon + 12 * hour - second, usage: TestUsage(10, 3))
    let zone = try TimeZoneRules(named: "Europe/Amsterdam")
    #expect(try rows("2026-11-21,gpt-4o,13,0.000055\n", [late], zone: zone).count == 2)
    #expect(try rows("2026-11-21,gpt-4o,13,0.000055\n", [late]).count == 3)
  }

  @Test(arguments: [
    ("gpt-4o", ["gpt-4o-2024-08-06", "gpt-4o"], "gpt-4o"), ("openai/gpt-4o", ["gpt-4o-2024-08-06"], "openai/gpt-4o"),
    ("gpt-4o,gpt-4o-2024-08-06", ["gpt-4o-2024-08-06"], "gpt-4o-2024-08-06"),
    ("gpt-4o-2024-08-06", ["gpt-4o", "gpt-4o-2024-08-06"], "gpt-4o-2024-08-06"),
    ("gpt-4o-2024-08-06", ["gpt-4o-2024-05-13"], "gpt-4o-2024-05-13"),
    ("gpt-4o-2024-08-06,gpt-4o-2024-05-13", ["gpt-4o"], "gpt-4o"), ("gpt-4o-mini", ["gpt-4o"], "gpt-4o"),
    ("claude-3-5-sonnet", ["claude-3-5-sonnet-20241022", "claude-3-5-sonnet-latest"], "claude-3-5-sonnet"),
    ("claude-3-5-sonnet", ["claude-3-5-sonnet@20241022"], "claude-3-5-sonnet"),
    ("gpt-4,command-r,gemini-2.0-flash", ["gpt-4-0613"], "gpt-4"), ("command-r", ["command-r-08-2024"], "command-r"),
    ("gemini-2.0-flash", ["gemini-2.0-flash-001"], "gemini-2.0-flash"), ("o", ["o3", "o1-mini"], "itself"),
  ])
  func aBillMayLeaveOutTheDateOfAVersionOrHaveIt(bill: String, models: [String], name: String) throws {
    let names = BillNames(
      try self.bill("day,model,tokens,usd\n" + bill.split(separator: ",").map { "2026-11-20,\($0),1,1\n" }.joined())
        .lines)
    for model in models { #expect(names.name(of: model, "openai") == (name == "itself" ? model : name)) }
    #expect(names.name(of: nil, nil) == nil)
  }

  @Test func aLineSaysWhichOfOurModelsItStandsFor() throws {
    let (test, engine) = try engine(twoDays)
    defer { withExtendedLifetime(test) {} }
    let line = "2026-11-20,gpt-4o-2024-08-06,133,0.000505\n"
    let comparison = try engine.compare(CallFilter(), with: try bill("day,model,tokens,usd\n" + line))
    let row = comparison.rows[0]
    #expect(row["group"]?.compactString == #"{"day":"2026-11-20","model":"gpt-4o-2024-08-06"}"#)
    #expect(row["side"] == "both" && row["difference_usd"] == "0" && row["models"] == ["gpt-4o"])
    #expect(comparison.otherNames.map { "\($0.bill) \($0.ours)" } == [#"gpt-4o-2024-08-06 ["gpt-4o"]"#])
    let same = try engine.compare(CallFilter(), with: try bill("day,model,tokens,usd\n2026-11-20,openai/GPT-4o,1,1\n"))
    #expect(same.otherNames.isEmpty)
  }

  @Test func nothingOnEitherSideIsNothing() throws { #expect(try rows("", []).isEmpty) }
}
