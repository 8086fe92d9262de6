/// USD added up exactly, and fast: as whole numbers of 10⁻¹⁸ USD, and what is finer or too large for that beside them.
package struct ExactSum: Sendable, Comparable {
  private var units: Int128 = 0
  /// What is no whole number of units; empty but for odd prices, and then one number.
  private var others: [DecimalNumber] = []

  package init() {}

  /// Adds so many tokens, or requests, at a price each.
  mutating func add(_ count: Int, at price: UnitPrice) {
    // Products of 64 bits are the fast ones, and nearly all.
    let product = price.smallUnits.multipliedFullWidth(by: count)
    let (sum, overflows) = units.addingReportingOverflow(Int128(product.high) << 64 | Int128(product.low))
    if overflows || price.isOdd { return add(DecimalNumber(count) * price.usd) }
    units = sum
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
  /// The same in 10⁻¹⁸ USD; 0 if it is odd.
  let smallUnits: Int
  /// It is no whole number of 10⁻¹⁸ USD, or too large a one.
  let isOdd: Bool

  static let free = UnitPrice(.zero)

  init(_ usd: DecimalNumber) {
    self.usd = usd
    let units = usd.units.flatMap { Int(exactly: $0) }
    smallUnits = units ?? 0
    isOdd = units == nil
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
