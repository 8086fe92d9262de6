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

  /// The object of `usage`, but for its group.
  func write(into members: inout some JSONMembers) {
    members.number("calls", sum.calls)
    members.number("errors", sum.errors)
    members.number("aborts", sum.aborts)
    members.number("prompt_tokens", sum.prompt.value)
    members.number("completion_tokens", sum.completion.value)
    members.number("total_tokens", sum.total.value)
    members.number("cached_tokens", sum.cached.value)
    members.number("reasoning_tokens", sum.reasoning.value)
    members.string("cost_usd", cost.total?.units, places: ExactSum.places)
    members.number("calls_without_usage", sum.calls - sum.withUsage)
    members.number("calls_without_price", cost.withoutPrice)
    members.number("ttft_p50_ms", firstContents.p50, places: 6)
    members.number("ttft_p95_ms", firstContents.p95, places: 6)
    members.number("duration_p50_ms", durations.p50, places: 6)
    members.number("duration_p95_ms", durations.p95, places: 6)
    members.number("ttft_p99_ms", firstContents.p99, places: 6)
    members.number("duration_p99_ms", durations.p99, places: 6)
    cost.write(into: &members)
    members.strings("not_in_usage", notInUsage)
  }
}
