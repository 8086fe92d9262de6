internal import TapeJSON
internal import TapePricing

/// Calls added up one by one, as `usage` adds them up.
struct RunningTotals {
  private(set) var calls = 0
  private var prompt = TokenSum()
  private var completion = TokenSum()
  private var total = TokenSum()
  private var cost: DecimalNumber?
  private var withoutUsage = 0
  private var withoutPrice = 0

  mutating func add(_ usage: CallUsage, _ price: CallCost) {
    calls += 1
    prompt.add(usage.counts.prompt)
    completion.add(usage.counts.completion)
    total.add(usage.counts.total)
    if let amount = price.total { cost = (cost ?? .zero) + amount }
    if !usage.isKnown { withoutUsage += 1 } else if price.total == nil { withoutPrice += 1 }
  }

  var json: JSONValue {
    .object([
      .init("calls", .int(calls)), .init("prompt_tokens", .int(prompt.value)),
      .init("completion_tokens", .int(completion.value)), .init("total_tokens", .int(total.value)),
      .init("cost_usd", .string(cost?.description)), .init("calls_without_usage", .int(withoutUsage)),
      .init("calls_without_price", .int(withoutPrice)),
    ])
  }
}
