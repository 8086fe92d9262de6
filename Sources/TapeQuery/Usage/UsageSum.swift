internal import TapeCatalogue
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// What usage is added up from, of one call.
struct UsageFacts {
  var state: CallState
  var hasUsage: Bool
  var counts: TokenCounts
  /// nil if it could not be priced.
  var cost: DecimalNumber?
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
  private(set) var cached = TokenSum()
  private(set) var reasoning = TokenSum()
  /// nil while nothing could be priced.
  private(set) var cost: DecimalNumber?
  private(set) var withoutUsage = 0
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
    cached.add(call.counts.cached)
    reasoning.add(call.counts.reasoning)
    if let amount = call.cost {
      cost = (cost ?? .zero) + amount
    } else if call.hasUsage {
      withoutPrice += 1
    }
    if !call.hasUsage { withoutUsage += 1 }
    if let time = call.firstContentNs { firstContents.append(time) }
    if let time = call.durationNs { durations.append(time) }
  }

  /// The object of `usage`.
  func json(group: JSONValue) -> JSONValue {
    let ttft = firstContents.sorted()
    let duration = durations.sorted()
    return .object([
      .init("group", group), .init("calls", .int(calls)), .init("errors", .int(errors)), .init("aborts", .int(aborts)),
      .init("prompt_tokens", .int(prompt.value)), .init("completion_tokens", .int(completion.value)),
      .init("total_tokens", .int(total.value)), .init("cached_tokens", .int(cached.value)),
      .init("reasoning_tokens", .int(reasoning.value)), .init("cost_usd", .string(cost?.description)),
      .init("calls_without_usage", .int(withoutUsage)), .init("calls_without_price", .int(withoutPrice)),
      .init("ttft_p50_ms", JSONPieces.milliseconds(Self.percentile(50, of: ttft))),
      .init("ttft_p95_ms", JSONPieces.milliseconds(Self.percentile(95, of: ttft))),
      .init("duration_p50_ms", JSONPieces.milliseconds(Self.percentile(50, of: duration))),
      .init("duration_p95_ms", JSONPieces.milliseconds(Self.percentile(95, of: duration))),
    ])
  }

  /// The nearest-rank percentile: the smallest value that at least `percent` % of the values do not exceed.
  static func percentile(_ percent: Int, of sorted: [Int64]) -> Int64? {
    guard !sorted.isEmpty else { return nil }
    let rank = (percent * sorted.count + 99) / 100
    return sorted[min(max(rank, 1), sorted.count) - 1]
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
