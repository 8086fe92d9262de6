/// The arithmetic of one cost:
/// (prompt − cached)·input + cached·cached price + completion·output + request fee, and
/// reasoning·output on top where the provider counts it beside completion.
struct Pricing {
  let usage: BillableUsage
  let row: PriceRow
  let found: FoundModel
  let version: String

  var cost: CostResult {
    let fresh = usage.prompt - usage.cached
    // A model that is listed without any price may be free or not known; only `…:free` says which.
    let isFree = row.isEmpty && found.model.id.hasSuffix(":free")
    if row.isEmpty, !isFree {
      return .unknown("\(found.provider)/\(found.model.id) is listed without a price per token")
    }
    if isFree { return .cost(freeCost) }
    if row.input == nil, fresh > 0 || (row.cached == nil && usage.cached > 0) { return .unknown(missing("prompt")) }
    if row.output == nil, usage.completion > 0 || usage.reasoningIsOnTop { return .unknown(missing("completion")) }
    var notes = found.notes
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
    let request = (row.requests?.price(prompt: usage.prompt) ?? .zero).shifted(by: -3)
    if !found.model.notInUsage.isEmpty {
      notes.append("not in the usage, so not in this cost: \(found.model.notInUsage.joined(separator: ", "))")
    }
    return .cost(
      Cost(
        total: input + cached + output + (reasoning ?? .zero) + request, input: input, cached: cached, output: output,
        reasoning: reasoning, request: request, priceModel: "\(found.provider)/\(found.model.id)",
        priceVersion: version, notes: notes))
  }

  private var freeCost: Cost {
    Cost(
      total: .zero, input: .zero, cached: .zero, output: .zero, reasoning: nil, request: .zero,
      priceModel: "\(found.provider)/\(found.model.id)", priceVersion: version,
      notes: found.notes + ["the table lists this model as free"])
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
    return (DecimalNumber(tokens) * rate.price(prompt: usage.prompt)).shifted(by: -6)
  }

  private func missing(_ what: String) -> String {
    "\(found.provider)/\(found.model.id) has no price for \(what) tokens"
  }
}
