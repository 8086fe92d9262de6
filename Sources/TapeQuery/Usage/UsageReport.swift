internal import TapeCatalogue
package import TapeJSON
package import TapePricing
internal import TapeTypes

/// What `usage` answers.
package struct UsageAnswer: Sendable {
  /// With `totals` the last one has `"group":{}`. Nothing for no calls.
  package let rows: [JSONValue]
  /// The sum over all calls that could be priced, whatever the rows are; nil when none could.
  package let cost: DecimalNumber?
  /// How many calls are not in that sum.
  package let unpricedCalls: Int
  /// The models that could not be priced for want of a price, most calls first: `provider/model`, calls, and why.
  package let unpricedModels: [(name: String, calls: Int, why: String)]
  /// What priced models bill for and a usage does not tell.
  package let notInUsage: [String]
}

extension QueryEngine {
  /// Usage and cost by group.
  ///
  /// A call with two tags counts in the rows of both and once in the totals; one without is in the row with null.
  ///
  /// - Parameters:
  ///   - timeZone: what hours, days and months are those of.
  ///   - top: only the first so many groups: the most expensive ones, then those with most tokens, then most calls.
  package func usage(
    _ filter: CallFilter, by dimensions: [UsageDimension], timeZone: TimeZoneRules = .utc, totals: Bool = false,
    top: Int? = nil
  ) throws -> UsageAnswer {
    let report = try usageReport(filter, by: dimensions, timeZone: timeZone)
    return report.answer(report.objects(totals: totals, top: top))
  }

  func usageReport(
    _ filter: CallFilter, by dimensions: [UsageDimension], timeZone: TimeZoneRules
  ) throws -> UsageReport {
    var report = UsageReport(dimensions: dimensions, timeZone: timeZone)
    let condition = FilterSQL(filter, hidesMocks: true, sums: true)
    let metadata = dimensions.compactMap(\.metadataKey)
    let columns = UsageReport.columns + metadata.map { _ in ", " + FilterSQL.metadataText }.joined()
    let sql = "SELECT \(columns) FROM calls c\(condition.clause)"
    let prices = try prices
    try catalogue.snapshot { snapshot in
      try check(filter, in: snapshot)
      try snapshot.query(sql, metadata.map { .text($0) } + condition.arguments) { report.add($0, prices: prices) }
    }
    return report
  }
}

/// Adds calls up by group.
struct UsageReport {
  private let dimensions: [UsageDimension]
  private let buckets: TimeBuckets
  private(set) var groups: [[String?]: UsageSum] = [:]
  private(set) var all = UsageSum()
  private var unpriced: [String: (calls: Int, why: String)] = [:]

  /// What `add` reads; the values of the metadata dimensions come behind.
  static let columns = """
    c.state, c.has_usage, c.prompt_tokens, c.completion_tokens, c.total_tokens, c.cached_tokens, c.reasoning_tokens, \
    c.usage_contradiction, c.provider, c.model, c.started_ns, c.mock, c.first_content_ns, c.duration_ns, \
    c.identity_id, c.thread_id, c.thread_tags, c.deployment, coalesce(c.trace_id, c.traceparent_trace_id), \
    c.usage_unknown_reason
    """
  private static let columnCount = 20

  init(dimensions: [UsageDimension], timeZone: TimeZoneRules) {
    self.dimensions = dimensions
    buckets = TimeBuckets(zone: timeZone)
  }

  mutating func add(_ row: SQLRow, prices: PriceTable) {
    let model = CallModel(
      provider: row.text(8), model: row.text(9), startedNs: Int64(row.integer(10) ?? 0))
    let counts = TokenCounts(
      prompt: row.integer(2), completion: row.integer(3), total: row.integer(4), cached: row.integer(5),
      reasoning: row.integer(6))
    let usage = CallUsage(
      counts: counts, isKnown: row.flag(1), unknownReason: row.text(19), contradiction: row.text(7))
    let cost = CallCost(usage, model: model, isMock: row.flag(11), prices: prices)
    let facts = UsageFacts(
      state: row.text(0).flatMap { CallState(rawValue: $0) } ?? .lost, hasUsage: usage.isKnown, counts: counts,
      cost: cost, firstContentNs: row.integer(12).map(Int64.init), durationNs: row.integer(13).map(Int64.init))
    if case .unknown(let why) = cost { note(why, model) }
    all.add(facts)
    guard !dimensions.isEmpty else { return }
    for key in keys(row, model) { groups[key, default: UsageSum()].add(facts) }
  }

  /// Remembers what a price could be given for.
  private mutating func note(_ why: Unpriced, _ model: CallModel) {
    switch why.reason {
    case .noUsage, .badUsage: return
    case .unknownProvider, .unknownModel, .noRate: break
    }
    let name = "\(model.provider ?? "?")/\(model.model ?? "?")"
    // Names come from recorded responses, so their number is bounded here.
    guard unpriced[name] != nil || unpriced.count < 1_000 else { return }
    unpriced[name, default: (0, why.message)].calls += 1
  }

  func answer(_ rows: [JSONValue]) -> UsageAnswer {
    UsageAnswer(
      rows: rows, cost: all.cost.total, unpricedCalls: all.cost.unpricedCalls,
      unpricedModels: unpriced.map { ($0.key, $0.value.calls, $0.value.why) }
        .sorted { ($1.1, $0.0) < ($0.1, $1.0) },
      notInUsage: all.cost.notInUsage.sorted())
  }

  /// The groups that a call belongs to: one, or one for each of its tags.
  private func keys(_ row: SQLRow, _ model: CallModel) -> [[String?]] {
    var keys: [[String?]] = [[]]
    var metadata = Self.columnCount
    for dimension in dimensions {
      let values: [String?]
      switch dimension {
      case .identity: values = [row.text(14)]
      case .thread: values = [row.text(15)]
      case .tag: values = Self.tags(row.text(16))
      case .deployment: values = [row.text(17)]
      case .model: values = [model.model]
      case .provider: values = [model.provider]
      case .state: values = [row.text(0)]
      case .trace: values = [row.text(18)]
      case .hour: values = [buckets.hour(ns: model.startedNs)]
      case .day: values = [buckets.day(ns: model.startedNs)]
      case .month: values = [buckets.month(ns: model.startedNs)]
      case .metadata:
        values = [row.text(metadata)]
        metadata += 1
      }
      keys = keys.flatMap { key in values.map { key + [$0] } }
    }
    return keys
  }

  private static func tags(_ json: String?) -> [String?] {
    let tags = QueryEngine.parsed(json)?.array?.compactMap(\.string) ?? []
    return tags.isEmpty ? [nil] : Array(Set(tags))
  }

  /// The rows; the totals last.
  func objects(totals: Bool, top: Int?) -> [JSONValue] {
    guard all.calls > 0 else { return [] }
    guard !dimensions.isEmpty else { return [all.json(group: .object([]))] }
    var rows = groups.sorted { weighsMore($0, $1) }
    if let top { rows = Array(rows.prefix(max(0, top))) }
    if dimensions.contains(where: \.isTime) { rows.sort { comesBefore($0.key, $1.key) } }
    var objects = rows.map { $0.value.json(group: group($0.key)) }
    if totals { objects.append(all.json(group: .object([]))) }
    return objects
  }

  private func group(_ key: [String?]) -> JSONValue {
    .object(zip(dimensions, key).map { .init($0.name, .string($1)) })
  }

  private typealias Group = (key: [String?], value: UsageSum)

  private func weighsMore(_ left: Group, _ right: Group) -> Bool {
    let (leftCost, rightCost) = (left.value.cost.total ?? .zero, right.value.cost.total ?? .zero)
    if leftCost != rightCost { return rightCost < leftCost }
    let (leftTokens, rightTokens) = (left.value.total.value ?? 0, right.value.total.value ?? 0)
    if leftTokens != rightTokens { return leftTokens > rightTokens }
    if left.value.calls != right.value.calls { return left.value.calls > right.value.calls }
    return comesBefore(left.key, right.key)
  }

  /// By each value in turn: hours by time, all else by bytes; null behind all others.
  private func comesBefore(_ left: [String?], _ right: [String?]) -> Bool {
    for (index, (a, b)) in zip(left, right).enumerated() where a != b {
      guard let a else { return false }
      guard let b else { return true }
      if dimensions[index] == .hour { return TimeBuckets.hour(a, comesBefore: b) }
      return a.utf8.lexicographicallyPrecedes(b.utf8)
    }
    return false
  }
}
