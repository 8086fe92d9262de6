/// The arithmetic of one cost:
/// (prompt − cached)·input + cached·cached price + completion·output + request fee, and
/// reasoning·output on top where the provider counts it beside completion.
///
/// Of one call, or of several that have the same rates: then `usage` is the sum of theirs.
struct Pricing {
  let usage: BillableUsage
  let calls: Int
  /// Prompt tokens of one call: what tiers go by.
  let size: Int
  let row: PriceRow
  /// `provider/model`, as the table or the override names it.
  let name: String
  let version: String
  /// How the price was found.
  let notes: [String]
  let notInUsage: [String]

  var cost: CostResult {
    let fresh = usage.prompt - usage.cached
    if row.isEmpty {
      // A model that is listed without any price may be free or not known; only `…:free` says which.
      return name.hasSuffix(":free") ? .cost(freeCost) : noRate("\(name) is listed without a price per token")
    }
    if row.input == nil, fresh > 0 || (row.cached == nil && usage.cached > 0) { return noRate(missing("prompt")) }
    if row.output == nil, usage.completion > 0 || usage.reasoningIsOnTop { return noRate(missing("completion")) }
    var notes = notes
    if row.cached == nil, usage.cached > 0 {
      notes.append("there is no price for cached tokens: the input price is used")
    }
    let input = amount(fresh, row.input)
    let cached = amount(usage.cached, row.cached ?? row.input)
    let output = output(&notes)
    var reasoning: DecimalNumber?
    if usage.reasoningIsOnTop {
      reasoning = amount(usage.reasoning, row.reasoning ?? row.output)
      notes.append("reasoning is billed on top: total = prompt + completion + reasoning")
    }
    let rates = AppliedRates(row, prompt: size)
    let request = (rates.request ?? .zero) * DecimalNumber(calls)
    if !notInUsage.isEmpty {
      notes.append("not in the usage, so not in this cost: \(notInUsage.joined(separator: ", "))")
    }
    return .cost(
      Cost(
        total: input + cached + output + (reasoning ?? .zero) + request, input: input, cached: cached, output: output,
        reasoning: reasoning, request: request, priceModel: name, priceVersion: version, rates: rates,
        notInUsage: notInUsage, notes: notes))
  }

  private var freeCost: Cost {
    Cost(
      total: .zero, input: .zero, cached: .zero, output: .zero, reasoning: nil, request: .zero, priceModel: name,
      priceVersion: version, rates: AppliedRates(), notInUsage: notInUsage,
      notes: notes + ["the table lists this model as free"])
  }

  /// Completion; its reasoning part at a price of its own where the model has one.
  private func output(_ notes: inout [String]) -> DecimalNumber {
    guard let price = row.reasoning, usage.reasoning > 0, !usage.reasoningIsOnTop else {
      return amount(usage.completion, row.output)
    }
    notes.append("reasoning tokens have a price of their own")
    return amount(usage.completion - usage.reasoning, row.output) + amount(usage.reasoning, price)
  }

  /// Prices are per million tokens; the tier is that of the whole prompt.
  private func amount(_ tokens: Int, _ rate: Rate?) -> DecimalNumber {
    guard let rate, tokens > 0 else { return .zero }
    return (DecimalNumber(tokens) * rate.price(prompt: size)).shifted(by: -6)
  }

  private func noRate(_ message: String) -> CostResult { .unknown(Unpriced(.noRate, message)) }

  private func missing(_ what: String) -> String { "\(name) has no price for \(what) tokens" }
}
