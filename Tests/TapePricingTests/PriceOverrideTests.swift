import TapeJSON
import TapePricing
import TapeTypes
import Testing

@Suite struct PriceOverrideTests {
  /// gpt-4o: 2.50 in, 1.25 cached, 10.00 out; sonar-pro: 3 in, 15 out, 0.014 a request.
  private func cost(
    _ overrides: [PriceOverride], _ provider: String, _ model: String, prompt: Int = 1_000_000, completion: Int = 0,
    cached: Int? = nil, at: String = "2026-11-20T12:00:00Z"
  ) throws -> CostResult {
    var list = PriceOverrides()
    for override in overrides { list.set(override) }
    // What is written is what is read back.
    list = try PriceOverrides(json: list.json.compact)
    return PriceTable(.bundled, overrides: list).cost(
      provider: provider, model: model, prompt: prompt, completion: completion, cached: cached, reasoning: nil,
      total: nil, at: nanoseconds(at))
  }

  private func price(
    _ provider: String, _ model: String, _ input: String, _ output: String = "9", from: String? = nil
  ) throws -> PriceOverride {
    PriceOverride(
      provider: provider, model: model, from: from, setAt: "2026-11-23T09:00:00Z",
      input: try #require(DecimalNumber(input)), output: try #require(DecimalNumber(output)))
  }

  @Test func anOverrideTakesThePlaceOfTheTableAndSaysSo() throws {
    let cost = try #require(try cost([price("openai", "gpt-4o", "2")], "openai", "gpt-4o", completion: 1_000_000).cost)
    #expect(cost.total.description == "11" && cost.priceModel == "openai/gpt-4o")
    #expect(cost.priceVersion == "override 2026-11-23")
    #expect(cost.notes.contains { $0.contains("instead of openai/gpt-4o of genai-prices 0.2.3") })
  }

  @Test(arguments: [
    ("openai", "gpt-4o", "openai", "GPT-4o", true), ("OpenAI", "gpt-4o", "openai", "gpt-4o", true),
    // By the table's name it goes for all names of the model, and without the provider's prefix.
    ("openai", "gpt-4o", "openai", "gpt-4o-2024-08-06", true), ("openai", "gpt-4o", "openai", "openai/gpt-4o", true),
    // By a name of its own it goes for that one.
    ("openai", "gpt-4o-2024-08-06", "openai", "gpt-4o", false),
    ("openai", "gpt-4o-2024-08-06", "openai", "gpt-4o-2024-08-06", true),
    // Another model, another provider, also where the table lends the price.
    ("openai", "gpt-4o", "openai", "gpt-4o-mini", false), ("openai", "gpt-4.1-mini", "azure", "gpt-4.1-mini", false),
    ("azure", "gpt-4o", "azure", "gpt-4o", true),
    // The table's name of a provider goes for orq's two; orq's name for that one.
    ("x-ai", "grok-4.20", "xai", "grok-4.20", true), ("google", "gemini-2.5-pro", "google-ai", "gemini-2.5-pro", true),
    ("google-ai", "gemini-2.5-pro", "google", "gemini-2.5-pro", false),
    ("google-ai", "gemini-2.5-pro", "google-ai", "gemini-2.5-pro", true),
    // What no table knows.
    ("nowhere", "nobody-9", "nowhere", "nobody-9", true), ("openai", "ft:mine", "openai", "ft:mine", true),
  ])
  func whatAnOverrideGoesFor(provider: String, model: String, called: String, name: String, holds: Bool) throws {
    let result = try cost([price(provider, model, "0.125")], called, name)
    #expect((result.cost?.total.description == "0.125") == holds)
  }

  @Test func theNameThatACallHasGoesBeforeTheTablesName() throws {
    let overrides = [try price("openai", "gpt-4o", "1"), try price("openai", "gpt-4o-2024-08-06", "2")]
    #expect(try cost(overrides, "openai", "gpt-4o-2024-08-06").cost?.total.description == "2")
    #expect(try cost(overrides, "openai", "gpt-4o-2024-11-20").cost?.total.description == "1")
  }

  @Test(arguments: [
    ("2026-10-31T23:59:59Z", "2.5"), ("2026-11-01T00:00:00Z", "2"), ("2026-11-30T23:59:59Z", "2"),
    ("2026-12-01T00:00:00Z", "1"),
  ])
  func datedOverridesHoldFromTheirDayAndTheTableBefore(at: String, want: String) throws {
    let overrides = [
      try price("openai", "gpt-4o", "1", from: "2026-12-01"), try price("openai", "gpt-4o", "2", from: "2026-11-01"),
    ]
    #expect(try cost(overrides, "openai", "gpt-4o", at: at).cost?.total.description == want)
  }

  @Test func ratesThatAreNotGivenStayAndAreNamed() throws {
    let kept = try #require(try cost([price("openai", "gpt-4o", "2")], "openai", "gpt-4o", cached: 1_000_000).cost)
    #expect(kept.total.description == "1.25" && kept.notes.contains { $0.contains("does not give cached") })
    var own = try price("openai", "gpt-4o", "2")
    own.cached = DecimalNumber("0.5")
    let given = try #require(try cost([own], "openai", "gpt-4o", cached: 1_000_000).cost)
    #expect(given.total.description == "0.5" && !given.notes.contains { $0.contains("does not give") })
    let fee = try #require(try cost([price("perplexity", "sonar-pro", "2")], "perplexity", "sonar-pro").cost)
    #expect(fee.request.description == "0.014" && fee.total.description == "2.014")
    var free = try price("perplexity", "sonar-pro", "2")
    free.request = DecimalNumber("0.5")
    #expect(try cost([free], "perplexity", "sonar-pro").cost?.total.description == "2.5")
  }

  @Test func settingAgainReplacesAndRemovingGivesTheTableBack() throws {
    var list = PriceOverrides()
    list.set(try price("openai", "gpt-4o", "1"))
    list.set(try price("OpenAI", "GPT-4o", "2"))
    list.set(try price("openai", "gpt-4o", "3", from: "2026-12-01"))
    #expect(list.list.map(\.input.description) == ["2", "3"])
    #expect(list.remove(provider: "openai", model: "gpt-4o", from: "2026-12-01") == 1)
    #expect(list.remove(provider: "openai", model: "gpt-4o-mini", from: nil) == 0)
    #expect(list.remove(provider: "openai", model: "gpt-4o", from: nil) == 1 && list.isEmpty)
  }

  @Test(arguments: [
    "", "[]", #"{"format":"tapedeck-price-overrides/2","overrides":[]}"#,
    #"{"format":"tapedeck-price-overrides/1","overrides":[{}]}"#,
    #"{"format":"tapedeck-price-overrides/1","overrides":[{"provider":"p","model":"m","set_at":"2026-11-23T09:00:00Z","input":1}]}"#,
    #"{"format":"tapedeck-price-overrides/1","overrides":[{"provider":"p","model":"m","set_at":"2026-11-23T09:00:00Z","input":1,"output":-1}]}"#,
    #"{"format":"tapedeck-price-overrides/1","overrides":[{"provider":"p","model":"m","set_at":"2026-11-23T09:00:00Z","input":1,"output":1,"from":"x"}]}"#,
  ])
  func aFileThatIsNotUnderstoodIsRefused(json: String) {
    #expect(throws: TapeError.self) { try PriceOverrides(json: Array(json.utf8)) }
  }
}
