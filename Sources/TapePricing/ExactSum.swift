/// USD added up exactly, and fast: as whole numbers of 10⁻¹⁸ USD, and what is finer or too large for that beside them.
package struct ExactSum: Sendable, Comparable {
  private var units: Int128 = 0
  private var rest = DecimalNumber.zero

  package init() {}

  /// Adds so many tokens, or requests, at a price each.
  mutating func add(_ count: Int, at price: UnitPrice) {
    guard count != 0 else { return }
    if let each = price.units {
      // Products of 64 bits are the fast ones, and nearly all.
      let (amount, isTooLarge) =
        price.smallUnits.map { (Int128($0, times: count), false) }
        ?? each.multipliedReportingOverflow(by: Int128(count))
      let (sum, overflows) = units.addingReportingOverflow(amount)
      if !isTooLarge, !overflows {
        units = sum
        return
      }
    }
    rest += DecimalNumber(count) * price.usd
  }

  package static func += (left: inout ExactSum, right: ExactSum) {
    let (sum, overflows) = left.units.addingReportingOverflow(right.units)
    if overflows {
      left.rest += DecimalNumber(units: right.units)
    } else {
      left.units = sum
    }
    if !right.rest.isZero { left.rest += right.rest }
  }

  package static func == (left: ExactSum, right: ExactSum) -> Bool {
    left.rest.isZero && right.rest.isZero ? left.units == right.units : left.value == right.value
  }

  package static func < (left: ExactSum, right: ExactSum) -> Bool {
    left.rest.isZero && right.rest.isZero ? left.units < right.units : left.value < right.value
  }

  package var value: DecimalNumber { rest.isZero ? DecimalNumber(units: units) : DecimalNumber(units: units) + rest }
}

/// The price of one token or request.
struct UnitPrice: Sendable {
  let usd: DecimalNumber
  /// The same in 10⁻¹⁸ USD; nil if it is no whole number of those.
  let units: Int128?
  /// The same if it fits.
  let smallUnits: Int?

  static let free = UnitPrice(.zero)

  init(_ usd: DecimalNumber) {
    self.usd = usd
    units = usd.units
    smallUnits = units.flatMap { Int(exactly: $0) }
  }
}

extension Int128 {
  fileprivate init(_ number: Int, times other: Int) {
    let (high, low) = number.multipliedFullWidth(by: other)
    self = Int128(high) << 64 | Int128(low)
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

  /// Adds calls of the same prices: `usage` is the sum of theirs.
  mutating func add(_ usage: BillableUsage, calls: Int, at prices: CallPrices) {
    input.add(usage.prompt - usage.cached, at: prices.input)
    cached.add(usage.cached, at: prices.cached)
    let inside = usage.reasoningIsOnTop ? 0 : usage.reasoning
    output.add(usage.completion - inside, at: prices.output)
    output.add(inside, at: prices.reasoning)
    if usage.reasoningIsOnTop {
      var sum = reasoning ?? ExactSum()
      sum.add(usage.reasoning, at: prices.reasoning)
      reasoning = sum
    }
    request.add(calls, at: prices.request)
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
