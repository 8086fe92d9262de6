internal import TapeJSON
internal import TapePricing

/// What calls cost together, by kind, and what could not be priced.
struct CostSum: Sendable {
  /// nil while nothing could be priced.
  private var parts: CostParts?
  /// Calls by why they have no cost, in the order of `Unpriced.Reason.allCases`; empty for none.
  private var unpriced: [Int] = []
  /// Calls that have a usage and no price.
  private(set) var withoutPrice = 0

  /// A call that costs nothing.
  mutating func addMock() { parts = parts ?? CostParts() }

  /// nil while nothing could be priced.
  var total: ExactSum? { parts?.total }

  mutating func addUnpriced(_ reason: Unpriced.Reason, calls: Int = 1, hasUsage: Bool) {
    if unpriced.isEmpty { unpriced = Unpriced.Reason.allCases.map { _ in 0 } }
    unpriced[reason.place] += calls
    if hasUsage { withoutPrice += calls }
  }

  /// Calls of one class.
  mutating func add(_ number: Int, _ tokens: PricedTokens, of classes: PriceClasses) {
    classes.add(number, tokens, to: &parts)
    if let why = classes.problem(number) { addUnpriced(why.reason, calls: tokens.calls, hasUsage: true) }
  }

  var unpricedCalls: Int { unpriced.reduce(0, +) }

  /// - Parameter notInUsage: what models of the sum bill for that a usage does not tell.
  func members(notInUsage: [String]) -> [JSONValue.Member] {
    func part(_ sum: ExactSum?) -> JSONValue { .string(sum?.value.description) }
    return [
      .init("input_usd", part(parts?.input)), .init("cached_usd", part(parts?.cached)),
      .init("output_usd", part(parts?.output)), .init("reasoning_usd", part(parts?.reasoning)),
      .init("request_usd", part(parts?.request)),
      .init(
        "unpriced",
        .object(
          Unpriced.Reason.allCases.map { .init($0.rawValue, .int(unpriced.isEmpty ? 0 : unpriced[$0.place])) })),
      .init("not_in_usage", JSONPieces.strings(notInUsage)),
    ]
  }
}
