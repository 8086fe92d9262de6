internal import TapeJSON
internal import TapePricing

/// The measures of one group of calls.
struct UsageSum {
  let sum: GroupSum
  let cost: CostSum
  /// What models of the group bill for that a usage does not tell.
  let notInUsage: [String]
  /// From the start to the first content, and how long calls took.
  let firstContents: CallRanks
  let durations: CallRanks

  /// The object of `usage`.
  func json(group: JSONValue) -> JSONValue {
    func milliseconds(_ ns: Int?) -> JSONValue { JSONPieces.milliseconds(ns.map(Int64.init)) }
    var members: [JSONValue.Member] = []
    members.reserveCapacity(25)
    members += [
      .init("group", group), .init("calls", .int(sum.calls)), .init("errors", .int(sum.errors)),
      .init("aborts", .int(sum.aborts)), .init("prompt_tokens", .int(sum.prompt.value)),
      .init("completion_tokens", .int(sum.completion.value)), .init("total_tokens", .int(sum.total.value)),
      .init("cached_tokens", .int(sum.cached.value)), .init("reasoning_tokens", .int(sum.reasoning.value)),
      .init("cost_usd", .string(cost.total?.value.description)),
      .init("calls_without_usage", .int(sum.calls - sum.withUsage)),
      .init("calls_without_price", .int(cost.withoutPrice)),
      .init("ttft_p50_ms", milliseconds(firstContents.p50)), .init("ttft_p95_ms", milliseconds(firstContents.p95)),
      .init("duration_p50_ms", milliseconds(durations.p50)), .init("duration_p95_ms", milliseconds(durations.p95)),
      .init("ttft_p99_ms", milliseconds(firstContents.p99)), .init("duration_p99_ms", milliseconds(durations.p99)),
    ]
    members += cost.members(notInUsage: notInUsage)
    return .object(members)
  }
}
