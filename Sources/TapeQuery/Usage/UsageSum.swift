internal import TapeJSON
internal import TapePricing

/// The measures of one group of calls.
struct UsageSum {
  let calls: Int
  let errors: Int
  let aborts: Int
  let withUsage: Int
  let prompt: Int?
  let completion: Int?
  let total: Int?
  /// All tokens, for comparing with a bill.
  let allTokens: Int?
  let cached: Int?
  let reasoning: Int?
  let cost: CostSum

  init(_ measures: UsageMeasures, _ group: Int, cost: CostSum) {
    calls = measures.calls[group]
    errors = measures.errors[group]
    aborts = measures.aborts[group]
    withUsage = measures.withUsage[group]
    prompt = measures.prompt[group].value
    completion = measures.completion[group].value
    total = measures.total[group].value
    allTokens = measures.summed[group].value
    cached = measures.cached[group].value
    reasoning = measures.reasoning[group].value
    self.cost = cost
  }

  /// The object of `usage`.
  ///
  /// - Parameters:
  ///   - firstContents: ns from the start to the first content, of each call that has one.
  ///   - durations: ns, of each call that ended.
  func json(group: JSONValue, firstContents: [Int], durations: [Int]) -> JSONValue {
    let ttft = Percentiles.nearestRank([50, 95, 99], of: firstContents)
    let duration = Percentiles.nearestRank([50, 95, 99], of: durations)
    func milliseconds(_ ns: Int?) -> JSONValue { JSONPieces.milliseconds(ns.map(Int64.init)) }
    let members: [JSONValue.Member] = [
      .init("group", group), .init("calls", .int(calls)), .init("errors", .int(errors)), .init("aborts", .int(aborts)),
      .init("prompt_tokens", .int(prompt)), .init("completion_tokens", .int(completion)),
      .init("total_tokens", .int(total)), .init("cached_tokens", .int(cached)),
      .init("reasoning_tokens", .int(reasoning)), .init("cost_usd", .string(cost.total?.description)),
      .init("calls_without_usage", .int(calls - withUsage)), .init("calls_without_price", .int(cost.withoutPrice)),
      .init("ttft_p50_ms", milliseconds(ttft[0])), .init("ttft_p95_ms", milliseconds(ttft[1])),
      .init("duration_p50_ms", milliseconds(duration[0])), .init("duration_p95_ms", milliseconds(duration[1])),
      .init("ttft_p99_ms", milliseconds(ttft[2])), .init("duration_p99_ms", milliseconds(duration[2])),
    ]
    return .object(members + cost.members)
  }
}
