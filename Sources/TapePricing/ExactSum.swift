/// USD added up exactly and fast, as a whole number of 10⁻¹⁸ USD. Stops at 1.7 · 10²⁰ USD, beyond all money there is.
package struct ExactSum: Sendable, Comparable {
  /// 10⁻¹⁸ USD.
  package private(set) var units: Int128 = 0
  /// How many places behind the point that is.
  package static let places = 18

  package init() {}

  /// Adds so many tokens at a price of so many 10⁻¹⁸ USD each.
  mutating func add(_ count: Int, at units: Int) {
    // Products of 64 bits are the fast ones.
    let product = units.multipliedFullWidth(by: count)
    add(units: Int128(product.high) << 64 | Int128(product.low))
  }

  /// Adds an amount, not below zero.
  mutating func add(units amount: Int128) {
    let (sum, overflows) = units.addingReportingOverflow(amount)
    units = overflows ? .max : sum
  }

  package static func += (left: inout ExactSum, right: ExactSum) { left.add(units: right.units) }

  package static func == (left: ExactSum, right: ExactSum) -> Bool { left.units == right.units }

  package static func < (left: ExactSum, right: ExactSum) -> Bool { left.units < right.units }

  package var value: DecimalNumber { DecimalNumber(units: units) }
}

/// What each token of a call costs, and the call itself, in 10⁻¹⁸ USD: a few words that are read for each of a million
/// calls.
struct CallPrices: Sendable {
  /// Prompt tokens that were not read from a cache.
  var input = 0
  var cached = 0
  var output = 0
  /// Reasoning, inside of completion or on top; the output price where it has none of its own.
  var reasoning = 0
  var request: Int128 = 0
}

/// What calls cost together, by kind.
package struct CostParts: Sendable {
  package private(set) var input = ExactSum()
  package private(set) var cached = ExactSum()
  package private(set) var output = ExactSum()
  private var reasoningOnTop = ExactSum()
  private var hasReasoning = false
  package private(set) var request = ExactSum()

  package init() {}

  /// nil while no reasoning was billed on top.
  package var reasoning: ExactSum? { hasReasoning ? reasoningOnTop : nil }

  package var total: ExactSum {
    var sum = input
    sum += cached
    sum += output
    sum += reasoningOnTop
    sum += request
    return sum
  }

  /// Adds a call.
  mutating func add(_ usage: BillableUsage, at prices: CallPrices) {
    input.add(usage.prompt - usage.cached, at: prices.input)
    if usage.cached > 0 { cached.add(usage.cached, at: prices.cached) }
    let inside = usage.reasoningIsOnTop ? 0 : usage.reasoning
    output.add(usage.completion - inside, at: prices.output)
    if inside > 0 { output.add(inside, at: prices.reasoning) }
    if usage.reasoningIsOnTop {
      reasoningOnTop.add(usage.reasoning, at: prices.reasoning)
      hasReasoning = true
    }
    if prices.request != 0 { request.add(units: prices.request) }
  }

  package static func += (left: inout CostParts, right: CostParts) {
    left.input += right.input
    left.cached += right.cached
    left.output += right.output
    left.reasoningOnTop += right.reasoningOnTop
    left.hasReasoning = left.hasReasoning || right.hasReasoning
    left.request += right.request
  }
}
