internal import TapeCatalogue
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// What of one call goes into sums.
struct UsageFacts {
  var isError: Bool
  var isAbort: Bool
  var hasUsage: Bool
  var prompt: Int?
  var completion: Int?
  var total: Int?
  var cached: Int?
  var reasoning: Int?
  var firstContentNs: Int?
  var durationNs: Int?
}

/// The measures of one group of calls.
struct UsageSum {
  private(set) var calls = 0
  private(set) var errors = 0
  private(set) var aborts = 0
  private(set) var prompt = TokenSum()
  private(set) var completion = TokenSum()
  private(set) var total = TokenSum()
  /// The total, or where a provider gave none prompt and completion.
  private var summed = TokenSum()
  private(set) var cached = TokenSum()
  private(set) var reasoning = TokenSum()
  /// What has no price is noted as calls come, the rest when all are there.
  var cost = CostSum()
  private(set) var withUsage = 0
  private var firstContents: [Int] = []
  private var durations: [Int] = []

  mutating func add(_ call: UsageFacts) {
    calls += 1
    if call.isError { errors += 1 }
    if call.isAbort { aborts += 1 }
    prompt.add(call.prompt)
    completion.add(call.completion)
    total.add(call.total)
    summed.add(call.total ?? TokenCounts(prompt: call.prompt, completion: call.completion).promptAndCompletion)
    cached.add(call.cached)
    reasoning.add(call.reasoning)
    if call.hasUsage { withUsage += 1 }
    if let time = call.firstContentNs { firstContents.append(time) }
    if let time = call.durationNs { durations.append(time) }
  }

  /// All tokens, for comparing with a bill.
  var allTokens: Int? { summed.value }

  /// The object of `usage`.
  func json(group: JSONValue) -> JSONValue {
    let ttft = Percentiles.nearestRank([50, 95, 99], of: firstContents)
    let duration = Percentiles.nearestRank([50, 95, 99], of: durations)
    func milliseconds(_ ns: Int?) -> JSONValue { JSONPieces.milliseconds(ns.map(Int64.init)) }
    let members: [JSONValue.Member] = [
      .init("group", group), .init("calls", .int(calls)), .init("errors", .int(errors)), .init("aborts", .int(aborts)),
      .init("prompt_tokens", .int(prompt.value)), .init("completion_tokens", .int(completion.value)),
      .init("total_tokens", .int(total.value)), .init("cached_tokens", .int(cached.value)),
      .init("reasoning_tokens", .int(reasoning.value)), .init("cost_usd", .string(cost.total?.description)),
      .init("calls_without_usage", .int(calls - withUsage)), .init("calls_without_price", .int(cost.withoutPrice)),
      .init("ttft_p50_ms", milliseconds(ttft[0])), .init("ttft_p95_ms", milliseconds(ttft[1])),
      .init("duration_p50_ms", milliseconds(duration[0])), .init("duration_p95_ms", milliseconds(duration[1])),
      .init("ttft_p99_ms", milliseconds(ttft[2])), .init("duration_p99_ms", milliseconds(duration[2])),
    ]
    return .object(members + cost.members)
  }
}

/// A sum of what was reported; nil while nothing was. Stops at the highest number there is instead of trapping.
struct TokenSum {
  private(set) var value: Int?

  mutating func add(_ count: Int?) {
    guard let count else { return }
    let (sum, overflow) = (value ?? 0).addingReportingOverflow(count)
    value = overflow ? (count > 0 ? Int.max : Int.min) : sum
  }
}
