internal import TapeJSON
internal import TapePricing

/// What calls cost together, by kind, and what could not be priced.
struct CostSum {
  /// nil while nothing could be priced.
  private(set) var total: DecimalNumber?
  private var input = DecimalNumber.zero
  private var cached = DecimalNumber.zero
  private var output = DecimalNumber.zero
  private var reasoning: DecimalNumber?
  private var request = DecimalNumber.zero
  private var unpriced: [Unpriced.Reason: Int] = [:]
  /// Calls that have a usage and no price.
  private(set) var withoutPrice = 0
  /// What models of the sum bill for and a usage does not tell.
  private(set) var notInUsage: Set<String> = []

  /// A call that costs nothing.
  mutating func addMock() { total = total ?? .zero }

  mutating func addUnpriced(_ reason: Unpriced.Reason, calls: Int = 1, hasUsage: Bool) {
    unpriced[reason, default: 0] += calls
    if hasUsage { withoutPrice += calls }
  }

  /// What calls of one class cost together.
  mutating func add(_ result: CostResult, calls: Int) {
    switch result {
    case .unknown(let why): addUnpriced(why.reason, calls: calls, hasUsage: true)
    case .cost(let cost):
      total = (total ?? .zero) + cost.total
      input += cost.input
      cached += cost.cached
      output += cost.output
      if let amount = cost.reasoning { reasoning = (reasoning ?? .zero) + amount }
      request += cost.request
      notInUsage.formUnion(cost.notInUsage)
    }
  }

  var unpricedCalls: Int { unpriced.values.reduce(0, +) }

  var members: [JSONValue.Member] {
    func part(_ value: DecimalNumber?) -> JSONValue { .string(total == nil ? nil : value?.description) }
    return [
      .init("input_usd", part(input)), .init("cached_usd", part(cached)), .init("output_usd", part(output)),
      .init("reasoning_usd", part(reasoning)), .init("request_usd", part(request)),
      .init(
        "unpriced",
        .object(Unpriced.Reason.allCases.map { .init($0.rawValue, .int(unpriced[$0] ?? 0)) })),
      .init("not_in_usage", JSONPieces.strings(notInUsage.sorted())),
    ]
  }
}
