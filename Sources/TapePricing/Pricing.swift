/// The arithmetic of one call's cost:
/// (prompt − cached)·input + cached·cached price + completion·output + request fee, and
/// reasoning·output on top where the provider counts it beside completion.
struct Pricing {
  let usage: BillableUsage
  let row: PriceRow
  /// `provider/model`, as the table or the override names it.
  let name: String
  let version: String
  /// How the price was found.
  let notes: [String]
  let notInUsage: [String]

  /// What is billed at which prices, or why that is not known.
  ///
  /// Nothing but `row`, the size of the prompt and which parts the usage has decides on that.
  func prices() -> Result<CallPrices, Unpriced> {
    if row.isEmpty {
      // A model that is listed without any price may be free or not known; only `…:free` says which.
      return isFree ? .success(CallPrices()) : noRate("\(name) is listed without a price per token")
    }
    if row.input == nil, usage.prompt > usage.cached || (row.cached == nil && usage.cached > 0) {
      return noRate(missing("prompt"))
    }
    if row.output == nil, usage.completion > 0 || usage.reasoningIsOnTop { return noRate(missing("completion")) }
    return .success(
      CallPrices(
        input: price(row.input), cached: price(row.cached ?? row.input), output: price(row.output),
        reasoning: price(row.reasoning ?? row.output),
        // Per thousand.
        request: row.requests?.price(prompt: usage.prompt).shifted(by: -3).units ?? 0))
  }

  private var isFree: Bool { row.isEmpty && name.hasSuffix(":free") }

  /// Prices are per million tokens; the tier is that of the whole prompt.
  private func price(_ rate: Rate?) -> Int {
    // In range (`DecimalNumber.isInPriceRange`), so that it is whole and fits.
    Int(clamping: rate?.price(prompt: usage.prompt).shifted(by: -6).units ?? 0)
  }

  var cost: CostResult {
    switch prices() {
    case .failure(let why): return .unknown(why)
    case .success(let prices):
      var parts = CostParts()
      parts.add(usage, at: prices)
      return .cost(
        Cost(
          total: parts.total.value, input: parts.input.value, cached: parts.cached.value, output: parts.output.value,
          reasoning: parts.reasoning?.value, request: parts.request.value, priceModel: name, priceVersion: version,
          rates: isFree ? AppliedRates() : AppliedRates(row, prompt: usage.prompt), notInUsage: notInUsage,
          notes: notes + ownNotes))
    }
  }

  /// Their tokens are part of the prompt, and so of the cost; their own price is not known.
  private static let cacheWrites = "cache writes"

  /// How the prices were applied.
  private var ownNotes: [String] {
    if isFree { return ["the table lists this model as free"] }
    var notes: [String] = []
    if row.cached == nil, usage.cached > 0 {
      notes.append("there is no price for cached tokens: the input price is used")
    }
    if row.reasoning != nil, usage.reasoning > 0, !usage.reasoningIsOnTop {
      notes.append("reasoning tokens have a price of their own")
    }
    if usage.reasoningIsOnTop {
      notes.append("reasoning is billed on top: total = prompt + completion + reasoning")
    }
    let silent = notInUsage.filter { $0 != Self.cacheWrites }
    if !silent.isEmpty { notes.append("not in the usage, so not in this cost: \(silent.joined(separator: ", "))") }
    if silent.count < notInUsage.count {
      notes.append("tokens written to a cache are priced as input, and the provider bills more for them")
    }
    return notes
  }

  private func noRate(_ message: String) -> Result<CallPrices, Unpriced> { .failure(Unpriced(.noRate, message)) }

  private func missing(_ what: String) -> String { "\(name) has no price for \(what) tokens" }
}
