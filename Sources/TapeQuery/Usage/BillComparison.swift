package import TapeJSON
internal import TapePricing
internal import TapeTypes

/// Our sums beside a bill's, by day and model: what `usage --against` answers.
package struct BillComparison: Sendable {
  /// By day and model; the totals last, with `"group":{}`.
  package let rows: [JSONValue]
  /// How many rows differ, in tokens or USD or by what cannot be said.
  package let differing: Int
  /// Names of the bill that stand for models of ours with another one: those.
  package let otherNames: [(bill: String, ours: [String])]
  /// Our side, as a usage report tells it.
  package let usage: UsageAnswer
}

extension QueryEngine {
  /// Compares what calls used and cost with a bill.
  ///
  /// Models are compared without regard to case; a bill may also write `provider/model`, and names without or with
  /// the date of their version (`BillNames`).
  ///
  /// - Parameter timeZone: what days are those of.
  package func compare(
    _ filter: CallFilter, with bill: Bill, timeZone: TimeZoneRules = .utc
  ) throws -> BillComparison {
    let report = try usageReport(filter, by: [.day, .model, .provider], totals: false, timeZone: timeZone)
    var pairs: [BillPair.Key: BillPair] = [:]
    let names = BillNames(bill.lines)
    for group in 0..<report.groupCount {
      let values = report.texts(group)
      let (day, model, provider) = (values[0] ?? "", values[1], values[2])
      let name = names.name(of: model, provider)
      pairs[BillPair.Key(day, name), default: BillPair(day, name)].add(report.sum(group), of: model)
    }
    for line in bill.lines {
      pairs[BillPair.Key(line.day, line.model), default: BillPair(line.day, line.model)].add(line)
    }
    var total = BillPair("", nil)
    for pair in pairs.values { total.add(pair) }
    let sorted = pairs.sorted { $0.key < $1.key }.map(\.value)
    let rows = sorted.map(\.json) + (sorted.isEmpty ? [] : [total.json])
    return BillComparison(
      rows: rows, differing: sorted.count(where: \.differs), otherNames: Self.otherNames(sorted),
      usage: UsageAnswer(report))
  }

  private static func otherNames(_ pairs: [BillPair]) -> [(bill: String, ours: [String])] {
    var names: [String: Set<String>] = [:]
    for pair in pairs { if let other = pair.otherNames { names[other.bill, default: []].formUnion(other.ours) } }
    return names.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted()) }
  }
}

/// One day and model on both sides.
private struct BillPair {
  struct Key: Hashable, Comparable {
    let day: String
    let model: String?

    init(_ day: String, _ model: String?) {
      self.day = day
      self.model = model?.lowercased()
    }

    /// Models that are not known come last.
    static func < (left: Key, right: Key) -> Bool {
      if left.day != right.day { return left.day < right.day }
      guard let a = left.model else { return false }
      guard let b = right.model else { return true }
      return a.utf8.lexicographicallyPrecedes(b.utf8)
    }
  }

  let day: String
  let model: String?
  private var calls = 0
  /// Ours.
  private var models: Set<String> = []
  private var tokens = TokenSum()
  private var cost: DecimalNumber?
  private var withoutUsage = 0
  private var withoutPrice = 0
  private var billTokens = TokenSum()
  private var billCost: DecimalNumber?

  init(_ day: String, _ model: String?) {
    self.day = day
    self.model = model
  }

  mutating func add(_ sum: UsageSum, of model: String?) {
    calls += sum.sum.calls
    if let model { models.insert(model) }
    tokens.add(sum.sum.summed.value)
    cost = Self.sum(cost, sum.cost.total?.value)
    withoutUsage += sum.sum.calls - sum.sum.withUsage
    withoutPrice += sum.cost.withoutPrice
  }

  mutating func add(_ line: Bill.Line) {
    billTokens.add(line.tokens)
    billCost = Self.sum(billCost, line.usd)
  }

  mutating func add(_ other: BillPair) {
    calls += other.calls
    models.formUnion(other.models)
    tokens.add(other.tokens.value)
    cost = Self.sum(cost, other.cost)
    withoutUsage += other.withoutUsage
    withoutPrice += other.withoutPrice
    billTokens.add(other.billTokens.value)
    billCost = Self.sum(billCost, other.billCost)
  }

  private static func sum(_ left: DecimalNumber?, _ right: DecimalNumber?) -> DecimalNumber? {
    guard let left, let right else { return left ?? right }
    return left + right
  }

  /// Ours less the bill's; a side without the day and model counts as nothing, one that is not known leaves it open.
  private var tokenDifference: Int? {
    guard calls == 0 || tokens.value != nil else { return nil }
    let (difference, overflow) = (tokens.value ?? 0).subtractingReportingOverflow(billTokens.value ?? 0)
    return overflow ? nil : difference
  }

  private var costDifference: DecimalNumber? {
    guard calls == 0 || cost != nil else { return nil }
    return (cost ?? .zero) - (billCost ?? .zero)
  }

  var differs: Bool { tokenDifference != 0 || costDifference != .zero || side != "both" }

  /// The bill's name and those of ours that are not the end of it.
  var otherNames: (bill: String, ours: Set<String>)? {
    guard let model else { return nil }
    let others = models.filter { !model.lowercased().hasSuffix($0.lowercased()) }
    return others.isEmpty ? nil : (model, others)
  }

  private var side: String { calls == 0 ? "bill" : billCost == nil ? "ours" : "both" }

  var json: JSONValue {
    let group: JSONValue = day.isEmpty ? [:] : ["day": .string(day), "model": .string(model)]
    return [
      "group": group, "side": .string(side), "calls": .int(calls), "total_tokens": .int(tokens.value),
      "bill_tokens": .int(billTokens.value), "difference_tokens": .int(tokenDifference),
      "cost_usd": .string(cost?.description),
      "bill_usd": .string(billCost?.description), "difference_usd": .string(costDifference?.description),
      "calls_without_usage": .int(withoutUsage), "calls_without_price": .int(withoutPrice),
      "models": .array(models.sorted().map { .string($0) }),
    ]
  }
}
