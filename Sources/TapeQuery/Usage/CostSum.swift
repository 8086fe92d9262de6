internal import TapeJSON
internal import TapePricing

/// What calls cost together, by kind, and what could not be priced.
struct CostSum: Sendable {
  private var parts = CostParts()
  /// Something could be priced.
  private var isKnown = false
  /// Calls by why they have no cost, in the order of `Unpriced.Reason.allCases`; empty for none.
  private var unpriced: [Int] = []
  /// Calls that have a usage and no price.
  private(set) var withoutPrice = 0
  /// What models of the sum bill for that a usage does not tell: a set of the classes'.
  private(set) var notInUsage: UInt64 = 0

  /// A call that costs nothing.
  mutating func addMock() { isKnown = true }

  /// nil while nothing could be priced.
  var total: ExactSum? { isKnown ? parts.total : nil }

  mutating func addUnpriced(_ reason: Unpriced.Reason, hasUsage: Bool) {
    if unpriced.isEmpty { unpriced = Unpriced.Reason.allCases.map { _ in 0 } }
    unpriced[reason.place] += 1
    if hasUsage { withoutPrice += 1 }
  }

  /// A call of a class.
  mutating func add(_ usage: BillableUsage, at price: PriceClass) {
    if let reason = price.unpriced { return addUnpriced(reason, hasUsage: true) }
    price.add(usage, to: &parts)
    isKnown = true
    notInUsage |= price.notInUsage
  }

  var unpricedCalls: Int { unpriced.reduce(0, +) }

  /// - Parameter notInUsage: the names of the set.
  func members(notInUsage: [String]) -> [JSONValue.Member] {
    func part(_ sum: ExactSum?) -> JSONValue { .string(isKnown ? sum?.value.description : nil) }
    return [
      .init("input_usd", part(parts.input)), .init("cached_usd", part(parts.cached)),
      .init("output_usd", part(parts.output)), .init("reasoning_usd", part(parts.reasoning)),
      .init("request_usd", part(parts.request)),
      .init(
        "unpriced",
        .object(
          Unpriced.Reason.allCases.map { .init($0.rawValue, .int(unpriced.isEmpty ? 0 : unpriced[$0.place])) })),
      .init("not_in_usage", JSONPieces.strings(notInUsage)),
    ]
  }
}
