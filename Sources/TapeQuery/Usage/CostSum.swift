internal import TapeJSON
internal import TapePricing

/// What calls cost together, by kind, and what could not be priced.
struct CostSum {
  /// nil while nothing could be priced.
  private var parts: CostParts?
  private var unpriced: [Unpriced.Reason: Int] = [:]
  /// Calls that have a usage and no price.
  private(set) var withoutPrice = 0
  /// What models of the sum bill for and a usage does not tell.
  private(set) var notInUsage: Set<String> = []

  /// A call that costs nothing.
  mutating func addMock() { parts = parts ?? CostParts() }

  /// nil while nothing could be priced.
  var total: DecimalNumber? { parts?.total }

  mutating func addUnpriced(_ reason: Unpriced.Reason, calls: Int = 1, hasUsage: Bool) {
    unpriced[reason, default: 0] += calls
    if hasUsage { withoutPrice += calls }
  }

  /// Calls of one class.
  mutating func add(_ number: Int, _ tokens: PricedTokens, of classes: PriceClasses) {
    if let why = classes.problem(number) { return addUnpriced(why.reason, calls: tokens.calls, hasUsage: true) }
    var sum = parts ?? CostParts()
    classes.add(number, tokens, to: &sum)
    parts = sum
    let others = classes.notInUsage(number)
    if !others.isEmpty { notInUsage.formUnion(others) }
  }

  var unpricedCalls: Int { unpriced.values.reduce(0, +) }

  var members: [JSONValue.Member] {
    func part(_ sum: ExactSum?) -> JSONValue { .string(sum?.value.description) }
    return [
      .init("input_usd", part(parts?.input)), .init("cached_usd", part(parts?.cached)),
      .init("output_usd", part(parts?.output)), .init("reasoning_usd", part(parts?.reasoning)),
      .init("request_usd", part(parts?.request)),
      .init(
        "unpriced",
        .object(Unpriced.Reason.allCases.map { .init($0.rawValue, .int(unpriced[$0] ?? 0)) })),
      .init("not_in_usage", JSONPieces.strings(notInUsage.sorted())),
    ]
  }
}
