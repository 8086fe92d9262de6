internal import TapeCatalogue
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// What usage is added up from, of one call.
struct UsageFacts {
  var state: CallState
  var hasUsage: Bool
  var counts: TokenCounts
  var cost: CallCost
  var firstContentNs: Int64?
  var durationNs: Int64?
}

/// The measures of one group of calls.
struct UsageSum {
  private(set) var calls = 0
  private(set) var errors = 0
  private(set) var aborts = 0
  private(set) var prompt = TokenSum()
  private(set) var completion = TokenSum()
  private(set) var total = TokenSum()
  /// The total, or where a provider gave none prompt and completion.
  private var summed = TokenSum()
  private(set) var cached = TokenSum()
  private(set) var reasoning = TokenSum()
  private(set) var cost = CostSum()
  private(set) var withoutUsage = 0
  /// Calls that have a usage and no price.
  private(set) var withoutPrice = 0
  private var firstContents: [Int64] = []
  private var durations: [Int64] = []

  mutating func add(_ call: UsageFacts) {
    calls += 1
    if call.state.isError { errors += 1 }
    if call.state == .clientAbort { aborts += 1 }
    prompt.add(call.counts.prompt)
    completion.add(call.counts.completion)
    total.add(call.counts.total)
    summed.add(call.counts.total ?? call.counts.promptAndCompletion)
    cached.add(call.counts.cached)
    reasoning.add(call.counts.reasoning)
    cost.add(call.cost)
    if !call.hasUsage { withoutUsage += 1 }
    if call.hasUsage, call.cost.total == nil { withoutPrice += 1 }
    if let time = call.firstContentNs { firstContents.append(time) }
    if let time = call.durationNs { durations.append(time) }
  }

  /// All tokens, for comparing with a bill.
  var allTokens: Int? { summed.value }

  /// The object of `usage`.
  func json(group: JSONValue) -> JSONValue {
    let ttft = firstContents.sorted()
    let duration = durations.sorted()
    let members: [JSONValue.Member] = [
      .init("group", group), .init("calls", .int(calls)), .init("errors", .int(errors)), .init("aborts", .int(aborts)),
      .init("prompt_tokens", .int(prompt.value)), .init("completion_tokens", .int(completion.value)),
      .init("total_tokens", .int(total.value)), .init("cached_tokens", .int(cached.value)),
      .init("reasoning_tokens", .int(reasoning.value)), .init("cost_usd", .string(cost.total?.description)),
      .init("calls_without_usage", .int(withoutUsage)), .init("calls_without_price", .int(withoutPrice)),
      .init("ttft_p50_ms", JSONPieces.milliseconds(Self.percentile(50, of: ttft))),
      .init("ttft_p95_ms", JSONPieces.milliseconds(Self.percentile(95, of: ttft))),
      .init("duration_p50_ms", JSONPieces.milliseconds(Self.percentile(50, of: duration))),
      .init("duration_p95_ms", JSONPieces.milliseconds(Self.percentile(95, of: duration))),
      .init("ttft_p99_ms", JSONPieces.milliseconds(Self.percentile(99, of: ttft))),
      .init("duration_p99_ms", JSONPieces.milliseconds(Self.percentile(99, of: duration))),
    ]
    return .object(members + cost.members)
  }

  /// The nearest-rank percentile: the smallest value that at least `percent` % of the values do not exceed.
  static func percentile(_ percent: Int, of sorted: [Int64]) -> Int64? {
    guard !sorted.isEmpty else { return nil }
    let rank = (percent * sorted.count + 99) / 100
    return sorted[min(max(rank, 1), sorted.count) - 1]
  }
}

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
  /// What models of the sum bill for and a usage does not tell.
  private(set) var notInUsage: Set<String> = []

  mutating func add(_ cost: CallCost) {
    switch cost {
    case .mock: total = total ?? .zero
    case .unknown(let why): unpriced[why.reason, default: 0] += 1
    case .priced(let cost):
      total = (total ?? .zero) + cost.total
      input += cost.input
      cached += cost.cached
      output += cost.output
      if let amount = cost.reasoning { reasoning = (reasoning ?? .zero) + amount }
      request += cost.request
      for name in cost.notInUsage where !notInUsage.contains(name) { notInUsage.insert(name) }
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

/// A sum of what was reported; nil while nothing was. Stops at the highest number there is instead of trapping.
struct TokenSum {
  private(set) var value: Int?

  mutating func add(_ count: Int?) {
    guard let count else { return }
    let (sum, overflow) = (value ?? 0).addingReportingOverflow(count)
    value = overflow ? (count > 0 ? Int.max : Int.min) : sum
  }
}
