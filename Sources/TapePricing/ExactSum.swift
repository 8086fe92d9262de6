/// USD added up exactly, and fast: as whole numbers of 10⁻¹⁸ USD, and what is finer or too large for that beside them.
package struct ExactSum: Sendable, Comparable {
  private var units: Int128 = 0
  /// What is no whole number of units; empty but for odd prices, and then one number.
  private var others: [DecimalNumber] = []

  package init() {}

  /// Adds so many tokens, or requests, at a price each.
  mutating func add(_ count: Int, at price: UnitPrice) {
    if let units = price.units { add(count, units: units) } else { add(DecimalNumber(count) * price.usd) }
  }

  /// The same at a price of so many 10⁻¹⁸ USD each.
  mutating func add(_ count: Int, units each: Int) {
    // Products of 64 bits are the fast ones, and nearly all.
    let product = each.multipliedFullWidth(by: count)
    let amount = Int128(product.high) << 64 | Int128(product.low)
    let (sum, overflows) = units.addingReportingOverflow(amount)
    if overflows { add(DecimalNumber(units: amount)) } else { units = sum }
  }

  private mutating func add(_ other: DecimalNumber) { others = [rest + other] }

  private var rest: DecimalNumber { others.first ?? .zero }

  package static func += (left: inout ExactSum, right: ExactSum) {
    let (sum, overflows) = left.units.addingReportingOverflow(right.units)
    if overflows { left.add(DecimalNumber(units: right.units)) } else { left.units = sum }
    if !right.others.isEmpty { left.add(right.rest) }
  }

  package static func == (left: ExactSum, right: ExactSum) -> Bool {
    left.others.isEmpty && right.others.isEmpty ? left.units == right.units : left.value == right.value
  }

  package static func < (left: ExactSum, right: ExactSum) -> Bool {
    left.others.isEmpty && right.others.isEmpty ? left.units < right.units : left.value < right.value
  }

  package var value: DecimalNumber {
    others.isEmpty ? DecimalNumber(units: units) : DecimalNumber(units: units) + rest
  }
}

/// The price of one token or request.
struct UnitPrice: Sendable {
  let usd: DecimalNumber
  /// The same in 10⁻¹⁸ USD; nil if it is no whole number of those, or too large a one.
  let units: Int?

  static let free = UnitPrice(.zero)

  init(_ usd: DecimalNumber) {
    self.usd = usd
    units = usd.units.flatMap { Int(exactly: $0) }
  }
}

/// What calls cost together, by kind.
package struct CostParts: Sendable {
  package fileprivate(set) var input = ExactSum()
  package fileprivate(set) var cached = ExactSum()
  package fileprivate(set) var output = ExactSum()
  /// nil while no reasoning was billed on top.
  package fileprivate(set) var reasoning: ExactSum?
  package fileprivate(set) var request = ExactSum()

  package init() {}

  package var total: ExactSum {
    var sum = input
    sum += cached
    sum += output
    if let reasoning { sum += reasoning }
    sum += request
    return sum
  }

  /// Adds a call.
  mutating func add(_ usage: BillableUsage, at prices: CallPrices) {
    input.add(usage.prompt - usage.cached, at: prices.input)
    cached.add(usage.cached, at: prices.cached)
    let inside = usage.reasoningIsOnTop ? 0 : usage.reasoning
    output.add(usage.completion - inside, at: prices.output)
    if inside > 0 { output.add(inside, at: prices.reasoning) }
    if usage.reasoningIsOnTop {
      var sum = reasoning ?? ExactSum()
      sum.add(usage.reasoning, at: prices.reasoning)
      reasoning = sum
    }
    request.add(1, at: prices.request)
  }
}

extension CostParts {
  /// Adds a call at prices that are whole numbers of units.
  mutating func add(_ usage: BillableUsage, at prices: CallUnits) {
    input.add(usage.prompt - usage.cached, units: prices.input)
    if usage.cached > 0 { cached.add(usage.cached, units: prices.cached) }
    let inside = usage.reasoningIsOnTop ? 0 : usage.reasoning
    output.add(usage.completion - inside, units: prices.output)
    if inside > 0 { output.add(inside, units: prices.reasoning) }
    if usage.reasoningIsOnTop {
      var sum = reasoning ?? ExactSum()
      sum.add(usage.reasoning, units: prices.reasoning)
      reasoning = sum
    }
    if prices.request != 0 { request.add(1, units: prices.request) }
  }

  package static func += (left: inout CostParts, right: CostParts) {
    left.input += right.input
    left.cached += right.cached
    left.output += right.output
    if let reasoning = right.reasoning {
      var sum = left.reasoning ?? ExactSum()
      sum += reasoning
      left.reasoning = sum
    }
    left.request += right.request
  }
}

/// The same as `CallPrices` in 10⁻¹⁸ USD: a few words that are read for each of a million calls.
struct CallUnits: Sendable {
  var input = 0
  var cached = 0
  var output = 0
  var reasoning = 0
  var request = 0

  /// All nothing.
  init() {}

  /// nil if one of them is no whole number.
  init?(_ prices: CallPrices) {
    guard let input = prices.input.units, let cached = prices.cached.units, let output = prices.output.units,
      let reasoning = prices.reasoning.units, let request = prices.request.units
    else { return nil }
    (self.input, self.cached, self.output, self.reasoning) = (input, cached, output, reasoning)
    self.request = request
  }
}

/// What each token of a call costs, and the call itself.
struct CallPrices: Sendable {
  /// Prompt tokens that were not read from a cache.
  var input = UnitPrice.free
  var cached = UnitPrice.free
  var output = UnitPrice.free
  /// Reasoning, inside of completion or on top; the output price where it has none of its own.
  var reasoning = UnitPrice.free
  var request = UnitPrice.free
}
