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
  mutating func add(_ call: ClassedUsage, at price: PriceClass) {
    if let reason = price.unpriced { return addUnpriced(reason, hasUsage: true) }
    price.add(call, to: &parts)
    isKnown = true
    notInUsage |= price.notInUsage
  }

  static func += (left: inout CostSum, right: CostSum) {
    left.parts += right.parts
    left.isKnown = left.isKnown || right.isKnown
    if left.unpriced.isEmpty {
      left.unpriced = right.unpriced
    } else {
      for (place, calls) in right.unpriced.enumerated() { left.unpriced[place] += calls }
    }
    left.withoutPrice += right.withoutPrice
    left.notInUsage |= right.notInUsage
  }

  var unpricedCalls: Int { unpriced.reduce(0, +) }

  func write(into members: inout some JSONMembers) {
    func part(_ sum: ExactSum?) -> Int128? { isKnown ? sum?.units : nil }
    members.string("input_usd", part(parts.input), places: ExactSum.places)
    members.string("cached_usd", part(parts.cached), places: ExactSum.places)
    members.string("output_usd", part(parts.output), places: ExactSum.places)
    members.string("reasoning_usd", part(parts.reasoning), places: ExactSum.places)
    members.string("request_usd", part(parts.request), places: ExactSum.places)
    members.object("unpriced") { members in
      for (place, reason) in Unpriced.Reason.allCases.enumerated() {
        members.number(.named(reason.rawValue), unpriced.isEmpty ? 0 : unpriced[place])
      }
    }
  }
}
