import Foundation
import TapeJSON
import TapePricing
import TapeTypes
import Testing

@Suite struct PriceTableTests {
  /// A table in which each rule can be told from every other.
  private static let table = #"""
    {"format":"tapedeck-prices/1","version":"test 1","date":"2026-01-01","provider_map":{"orq-p":"p","low":"q"},"providers":{
    "p":{"fallback":["q"],"models":[
    {"id":"family","match":["fam*","*-infix-*"],"prices":[{"input":1,"output":2}]},
    {"id":"fam-exact","match":["fam-exact","fam-####-##-##"],"prices":[{"input":10,"output":20}]},
    {"id":"tiered","match":["tiered"],"prices":[{"input":{"base":1,"above":[[100,2],[200,3]]},"cached":{"base":0.1,"above":[[100,0.2]]},"output":{"base":5,"above":[[100,7]]}}]},
    {"id":"dated","match":["dated"],"prices":[{"input":1,"output":1},{"from":"2026-03-01","input":2,"output":2},{"from":"2026-04-01","input":3,"output":3}]},
    {"id":"clock","match":["clock"],"prices":[{"input":1,"output":1},{"utc":["22:00","02:30"],"input":2,"output":2},{"utc":["12:00","13:00"],"input":3,"output":3}]},
    {"id":"fee","match":["fee"],"prices":[{"input":1,"output":1,"requests":12}]},
    {"id":"nothing-cached","match":["nothing-cached"],"prices":[{"input":4,"output":1}]},
    {"id":"input-only","match":["input-only"],"prices":[{"input":4,"output":null}]},
    {"id":"hours","match":["hours"],"prices":[{"input":null,"output":null}],"not_in_usage":["audio"]},
    {"id":"written","match":["written"],"prices":[{"input":4,"output":1}],"not_in_usage":["cache writes","searches"]},
    {"id":"gift:free","match":["gift:free"],"prices":[{"input":null,"output":null}]},{"id":"listed","match":["listed"],"prices":[{"input":null,"output":null}]},
    {"id":"reasoner","match":["reasoner"],"prices":[{"input":1,"output":2,"reasoning":3}]},
    {"id":"both","match":[{"all":[["voice*"]],"none":["*-tts","*-tts-*"]}],"prices":[{"input":1,"output":1}]},
    {"id":"p/own","match":["p/own"],"prices":[{"input":7,"output":7}]},
    {"id":"own","match":["own"],"prices":[{"input":8,"output":8}]}
    ]},
    "q":{"fallback":[],"models":[{"id":"lent","match":["lent"],"prices":[{"input":5,"output":5}]}]}}}
    """#

  private let table: PriceTable

  init() throws { table = try PriceTable(json: Array(PriceTableTests.table.utf8)) }

  private func cost(
    _ model: String, provider: String = "p", prompt: Int? = 1_000_000, completion: Int? = 0, cached: Int? = nil,
    reasoning: Int? = nil, total: Int? = nil, at: String = "2026-01-01T12:30:00Z"
  ) -> CostResult {
    table.cost(
      provider: provider, model: model, prompt: prompt, completion: completion, cached: cached, reasoning: reasoning,
      total: total, at: nanoseconds(at))
  }

  @Test(arguments: [
    ("fam-exact", "10"), ("FAM-Exact", "10"), ("fam-2026-01-02", "10"), ("fam-20260102", "10"), ("family", "1"),
    ("fam-exact-2", "1"), ("fam-2026-1-2", "1"), ("fam-20261399", "1"), ("x-infix-y", "1"), ("voice-1", "1"),
  ])
  func anExactOrDatedIDGoesBeforeAFamily(model: String, want: String) {
    #expect(cost(model).cost?.total.description == want)
  }

  @Test(arguments: ["voice-tts", "voice-tts-1", "infix", "unheard", ""])
  func anUnknownModelIsUnknown(model: String) { #expect(cost(model).cost == nil) }

  @Test func theProviderIsMappedAndItsPrefixStrippedWithANote() throws {
    let mapped = try #require(cost("orq-p/fam-exact", provider: "orq-p").cost)
    #expect(mapped.total.description == "10" && mapped.priceModel == "p/fam-exact")
    #expect(mapped.notes.contains { $0.contains("prefix orq-p/") })
    let own = try #require(cost("p/own").cost)
    #expect(own.total.description == "7" && own.notes.isEmpty)
    #expect(cost("p/fam-exact", provider: "orq-p").cost?.total.description == "10")
    #expect(cost("q/fam-exact").cost == nil)
    #expect(cost("p/").cost == nil)
  }

  @Test func anotherProvidersPriceIsUsedWithANoteWhereTheTableSaysSo() throws {
    let lent = try #require(cost("lent").cost)
    #expect(lent.priceModel == "q/lent" && lent.notes.contains { $0.contains("q's is used") })
    #expect(cost("fam-exact", provider: "q").cost == nil)
  }

  @Test(arguments: ["nobody", "", "openrouter"])
  func anUnknownProviderIsUnknown(provider: String) { #expect(cost("fam-exact", provider: provider).cost == nil) }

  @Test(arguments: [
    (100, "0.0001", "5"), (101, "0.000202", "7"), (200, "0.0004", "7"), (201, "0.000603", "7"),
  ])
  func aTierHoldsStrictlyAboveItsSizeForAllTokens(prompt: Int, input: String, output: String) throws {
    let cost = try #require(cost("tiered", prompt: prompt, completion: 1_000_000).cost)
    #expect(cost.input.description == input)
    #expect(cost.output.description == output)
  }

  @Test func theTierIsThatOfTheWholePromptCachedTokensToo() throws {
    let cost = try #require(cost("tiered", prompt: 150, cached: 100).cost)
    #expect(cost.input.description == "0.0001" && cost.cached.description == "0.00002")
  }

  @Test(arguments: [
    ("2026-02-28T23:59:59Z", "1"), ("2026-03-01T00:00:00Z", "2"), ("2026-03-31T23:59:59Z", "2"),
    ("2026-04-01T00:00:00Z", "3"), ("1969-01-01T00:00:00Z", "1"), ("2100-01-01T00:00:00Z", "3"),
  ])
  func thePriceIsThatOfTheDayInUTC(at: String, want: String) {
    #expect(cost("dated", at: at).cost?.total.description == want)
  }

  @Test(arguments: [
    ("2026-01-01T21:59:59Z", "1"), ("2026-01-01T22:00:00Z", "2"), ("2026-01-02T02:29:59Z", "2"),
    ("2026-01-02T02:30:00Z", "1"), ("2026-01-02T12:00:00Z", "3"), ("2026-01-02T13:00:00Z", "1"),
    ("1969-12-31T23:00:00Z", "2"),
  ])
  func thePriceIsThatOfTheTimeOfDayInUTC(at: String, want: String) {
    #expect(cost("clock", at: at).cost?.total.description == want)
  }

  @Test func aRequestFeeIsAPartOfItsOwn() throws {
    let cost = try #require(cost("fee", prompt: 1_000, completion: 1_000).cost)
    #expect(cost.request.description == "0.012" && cost.total.description == "0.014")
  }

  @Test func cachedTokensWithoutAPriceCostTheInputPrice() throws {
    let cost = try #require(cost("nothing-cached", prompt: 1_000_000, cached: 250_000).cost)
    #expect(cost.input.description == "3" && cost.cached.description == "1" && !cost.notes.isEmpty)
  }

  /// They are tokens of the prompt, so that they are in the cost.
  @Test func cacheWritesAreNotSaidToBeMissing() throws {
    let notes = try #require(cost("written").cost).notes
    #expect(
      notes == [
        "not in the usage, so not in this cost: searches",
        "tokens written to a cache are priced as input, and the provider bills more for them",
      ])
  }

  @Test func tokensThatHaveNoPriceAreUnknownNotFree() {
    #expect(cost("input-only", completion: 0).cost?.total.description == "4")
    #expect(cost("input-only", completion: 1).cost == nil)
    #expect(cost("hours").cost == nil)
    #expect(cost("listed", prompt: 0).cost == nil)
    #expect(cost("gift:free").cost?.total.description == "0")
  }

  @Test func reasoningIsPartOfCompletionUnlessTheTotalAddsIt() throws {
    let inside = try #require(cost("fam-exact", prompt: 10, completion: 30, reasoning: 20, total: 40).cost)
    #expect(inside.total.description == "0.0007" && inside.reasoning == nil)
    let onTop = try #require(cost("fam-exact", prompt: 10, completion: 5, reasoning: 20, total: 35).cost)
    #expect(onTop.total.description == "0.0006" && onTop.reasoning?.description == "0.0004")
    #expect(onTop.notes.contains { $0.contains("on top") })
    let own = try #require(cost("reasoner", prompt: 0, completion: 1_000_000, reasoning: 500_000).cost)
    #expect(own.output.description == "2.5" && own.reasoning == nil)
  }

  @Test(arguments: [
    (nil as Int?, 5 as Int?, nil as Int?, nil as Int?, nil as Int?), (5, nil, nil, nil, nil), (5, nil, nil, nil, 9),
    (-1, 5, nil, nil, nil), (5, -1, nil, nil, nil), (5, 5, 6, nil, nil), (5, 5, -1, nil, nil), (5, 5, nil, 6, nil),
    (5, 5, nil, 6, 10), (Int.max, Int.max, Int.max, Int.max, 5),
  ])
  func usageThatIsUnknownOrImpossibleHasNoCost(
    prompt: Int?, completion: Int?, cached: Int?, reasoning: Int?, total: Int?
  ) {
    let isWhole = prompt == Int.max
    let result = cost(
      "fam-exact", prompt: prompt, completion: completion, cached: cached, reasoning: reasoning, total: total)
    // The last row is huge but possible: no trap, a cost.
    #expect((result.cost != nil) == isWhole)
  }

  @Test func aPromptWithoutCompletionIsPricedWhenTheTotalSaysSo() {
    #expect(cost("fam-exact", prompt: 100, completion: nil, total: 100).cost?.total.description == "0.001")
  }

  @Test func theCostObjectHasTheKeysOfShow() throws {
    let cost = try #require(cost("fam-exact", prompt: 10, completion: 5).cost)
    #expect(
      cost.json.compactString
        == #"{"total_usd":"0.0002","input_usd":"0.0001","cached_usd":"0","output_usd":"0.0001","reasoning_usd":null,"request_usd":"0","price_model":"p/fam-exact","price_version":"test 1","notes":[],"rates":{"input_usd":"10","cached_usd":"10","output_usd":"20","reasoning_usd":null,"request_usd":null,"above_tokens":null,"from":null,"utc":null}}"#
    )
  }

  @Test(arguments: [
    "", "{}", "[]", #"{"format":"tapedeck-prices/1","version":"1"}"#,
    #"{"format":"tapedeck-prices/1","version":"1","providers":{}}"#,
    #"{"format":"tapedeck-prices/1","providers":{"p":{"models":[]}}}"#,
    #"{"format":"tapedeck-prices/2","version":"1","providers":{"p":{"models":[]}}}"#,
    #"{"version":"1","providers":{"p":{"models":[]}}}"#,
    #"{"format":"tapedeck-prices/1","version":"1","providers":{"p":{"models":[]},"p":{"models":[]}}}"#,
    #"{"format":"tapedeck-prices/1","version":"1","providers":{"p":{"models":[]}}}x"#,
  ])
  func whatIsNoTableIsRefused(json: String) {
    #expect(throws: TapeError.self) { try PriceTable(json: Array(json.utf8)) }
  }

  /// A table of one provider with these models.
  private static func table(of models: String, more: String = "") throws -> PriceTable {
    let json =
      #"{"format":"tapedeck-prices/1","version":"1"\#(more),"providers":{"p":{"fallback":[],"models":[\#(models)]}}}"#
    return try PriceTable(json: Array(json.utf8))
  }

  @Test(
    arguments: [
      (#"{"id":"a","match":[],"prices":[{"input":1,"output":1}]}"#, "a has no match"),
      (#"{"id":"a","match":[{"any":[]}],"prices":[{"input":1,"output":1}]}"#, "a has no match"),
      (#"{"id":"a","match":["a"],"prices":[]}"#, "a has no prices"),
      (#"{"id":"a","match":["a"]}"#, "a has no prices"),
      (#"{"id":"a","match":["a"],"prices":[{"output":1}]}"#, "row 1 of prices has no rate for input"),
      (
        #"{"id":"a","match":["a"],"prices":[{"input":1,"output":1},{"input":1}]}"#,
        "row 2 of prices has no rate for output"
      ),
      (#"{"id":"a","match":["a"],"prices":[{"input":-1,"output":1}]}"#, "a rate for input that is negative: -1"),
      (#"{"id":"a","match":["a"],"prices":[{"input":9e6,"output":1}]}"#, "9,000,000 USD or more, or has more than 12"),
      (#"{"id":"a","match":["a"],"prices":[{"input":1,"output":1e-13}]}"#, "more than 12 decimal places: 1e-13"),
      (#"{"id":"a","match":["a"],"prices":[{"input":1,"output":1,"cached":-0.1}]}"#, "cached that is negative"),
      (
        #"{"id":"a","match":["a"],"prices":[{"input":{"base":1,"above":[[10,-2]]},"output":1}]}"#,
        "input that is negative: -2"
      ),
      (#"{"id":"a","match":["a"],"prices":[{"input":{"base":1,"above":[[9,2],[9,3]]},"output":1}]}"#, "no rising"),
      (#"{"id":"a","match":["a"],"prices":[{"input":{"above":[[9,2]]},"output":1}]}"#, "neither a number nor"),
      (#"{"id":"a","match":["a"],"prices":[{"input":"1","output":1}]}"#, #"input that is no number: "1""#),
      (#"{"id":"a","match":["a"],"prices":[{"input":1,"output":1,"new":1}]}"#, "not known: new"),
      (#"{"id":"a","match":["a"],"prices":[{"input":1,"output":1}],"price":1}"#, "not known: price"),
      (#"{"id":"a","match":["a"],"prices":[{"from":"soon","input":1,"output":1}]}"#, "no date"),
      (#"{"id":"a","match":["a"],"prices":[{"from":"2026-02-30","input":1,"output":1}]}"#, "no date"),
      (#"{"id":"a","match":["a"],"prices":[{"utc":["1"],"input":1,"output":1}]}"#, "two times of day"),
      (#"{"match":["a"],"prices":[{"input":1,"output":1}]}"#, "without id"),
      (
        #"{"id":"a","match":["a"],"prices":[{"input":1,"output":1}]},{"id":"A","match":["b"],"prices":[{"input":1,"output":1}]}"#,
        "two models A"
      ),
    ])
  func aModelThatIsNotUnderstoodIsRefusedNotPassedOver(models: String, problem: String) throws {
    let table = try Self.table(of: models)
    let error = #expect(throws: TapeError.self) { try table.validate() }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("provider p") == true)
    let result = table.cost(
      provider: "p", model: "a", prompt: 1, completion: 1, cached: nil, reasoning: nil, total: nil, at: 0)
    #expect(result.cost == nil)
  }

  @Test(arguments: [
    (#","date":"yesterday""#, "date"), (#","provider_map":{"x":"q"}"#, "provider_map sends x to q"),
  ])
  func whatLeadsNowhereIsRefused(more: String, problem: String) throws {
    let table = try Self.table(of: #"{"id":"a","match":["a"],"prices":[{"input":1,"output":1}]}"#, more: more)
    let error = #expect(throws: TapeError.self) { try table.validate() }
    #expect(error?.description.contains(problem) == true)
  }

  @Test func everyFigureNamesTheRatesThatItWasMadeWith() throws {
    let tier = try #require(cost("tiered", prompt: 150, cached: 100).cost?.rates)
    #expect(tier.input?.description == "2" && tier.cached?.description == "0.2" && tier.aboveTokens == 100)
    let dated = try #require(cost("dated", at: "2026-03-09T00:00:00Z").cost?.rates)
    #expect(dated.from == "2026-03-01" && dated.input?.description == "2" && dated.aboveTokens == nil)
    let hours = try #require(cost("clock", at: "2026-01-01T23:00:00Z").cost?.rates)
    #expect(hours.hours == ["22:00", "02:30"])
    #expect(try #require(cost("fee").cost?.rates).request?.description == "0.012")
  }

  @Test(arguments: [
    ("nobody", "fam-exact", 1, Unpriced.Reason.unknownProvider), ("", "fam-exact", 1, .unknownProvider),
    ("p", "unheard", 1, .unknownModel), ("p", "", 1, .unknownModel), ("p", "input-only", 1, .noRate),
    ("p", "listed", 1, .noRate), ("p", "fam-exact", -1, .badUsage), ("nobody", "unheard", -1, .badUsage),
  ])
  func whatIsUnknownSaysWhy(provider: String, model: String, completion: Int, reason: Unpriced.Reason) {
    guard case .unknown(let why) = cost(model, provider: provider, completion: completion) else {
      Issue.record("a cost was made up")
      return
    }
    #expect(why.reason == reason && !why.message.isEmpty)
  }

  @Test func theBundledTableIsWholeAndNamesItsSource() throws {
    try PriceTable.bundled.validate()
    #expect(PriceTable.bundled.version == "genai-prices 0.2.3")
    #expect(PriceTable.bundled.providers.count == 17)
    #expect(PriceTable.bundled.models(of: "openai").count > 100)
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../schema/prices.json")
    #expect(try String(contentsOf: url, encoding: .utf8).contains("The MIT License"))
  }
}
