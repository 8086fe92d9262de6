internal import TapeCatalogue
package import TapeJSON
internal import TapePricing
internal import TapeTypes

/// Adds calls up by group, block by block.
struct UsageReport: Sendable {
  let dimensions: [UsageDimension]
  private var grouping: UsageGroups
  private var measures = UsageMeasures()
  private var pricing: UsagePricing
  /// Of each group.
  private var costs: [CostSum] = []

  // Of the block at hand; the memory is used again for the next one.
  private var selected: [Int] = []
  private var prices: [ClassedUsage] = []
  private var members: [GroupMember] = []

  /// Sums over all calls, in which a call with two tags counts once; their measures only if they are asked for.
  private let hasTotals: Bool
  private var totals = UsageMeasures()
  private var totalCosts = [CostSum()]
  private(set) var calls = 0
  /// What sums leave out, by their sets of it: there are few.
  private var namesNotInUsage: [UInt64: [String]] = [:]

  init(dimensions: [UsageDimension], totals: Bool, timeZone: TimeZoneRules, prices: PriceTable) {
    self.dimensions = dimensions
    hasTotals = totals || dimensions.isEmpty
    grouping = UsageGroups(dimensions, timeZone: timeZone)
    pricing = UsagePricing(prices)
    self.totals.grow(to: 1)
  }

  /// The name columns that are read.
  var names: Set<UsageRow.Name> { grouping.names.union(UsagePricing.names).union([.state]) }

  // MARK: Adding

  /// Adds those calls of a block that `filter` lets through; all without one.
  mutating func add(_ block: UsageBlock, filter: UsageFilter?) {
    block.withColumns { columns in
      if let filter {
        filter.select(from: block, columns, into: &selected)
      } else {
        selected.removeAll(keepingCapacity: true)
        selected += 0..<block.count
      }
      if !selected.isEmpty { addSelected(of: block, columns) }
    }
  }

  private mutating func addSelected(of block: UsageBlock, _ columns: UsageColumns) {
    calls += selected.count
    pricing.sort(selected, of: block, columns, into: &prices)
    let states = CountedStates(block)
    if needsTotalCost || hasTotals {
      let all = selected.indices.map { GroupMember(place: $0, group: 0) }
      if needsTotalCost { pricing.add(prices, all, to: &totalCosts) }
      if hasTotals { totals.add(all, selected, states, columns) }
    }
    guard !dimensions.isEmpty else { return }
    grouping.group(selected, of: block, columns, into: &members)
    measures.grow(to: grouping.count)
    measures.add(members, selected, states, columns)
    costs += repeatElement(CostSum(), count: grouping.count - costs.count)
    pricing.add(prices, members, to: &costs)
  }

  /// The costs of the groups together are not those of all calls: there are none, or a call may be in several.
  private var needsTotalCost: Bool { dimensions.isEmpty || dimensions.contains(.tag) }

  /// Nothing is added any more.
  mutating func finish() {
    if !needsTotalCost {
      for cost in costs { totalCosts[0] += cost }
    }
    measures.finish()
    totals.finish()
    for cost in costs + totalCosts where namesNotInUsage[cost.notInUsage] == nil {
      namesNotInUsage[cost.notInUsage] = pricing.notInUsage(cost)
    }
  }

  // MARK: What came out

  var totalCost: CostSum { totalCosts[0] }

  var groupCount: Int { grouping.count }

  /// The values of a group.
  func texts(_ group: Int) -> [String?] { grouping.texts(group) }

  func sum(_ group: Int) -> UsageSum { sum(group, of: measures, costs[group]) }

  private func sum(_ group: Int, of measures: UsageMeasures, _ cost: CostSum) -> UsageSum {
    UsageSum(
      sum: measures.sums[group], cost: cost, notInUsage: namesNotInUsage[cost.notInUsage] ?? [],
      firstContents: measures.firstContentRanks[group], durations: measures.durationRanks[group])
  }

  /// What models of all calls bill for that a usage does not tell.
  var notInUsage: [String] { pricing.notInUsage(totalCost) }

  /// The models that could not be priced for want of a price, most calls first.
  var unpricedModels: [(name: String, calls: Int, why: String)] { pricing.unpricedModels }

  /// The row of a group.
  func write(_ group: Int, into members: inout some JSONMembers) {
    let texts = texts(group)
    members.object("group") { members in
      for (dimension, text) in zip(dimensions, texts) { members.string(.named(dimension.name), text) }
    }
    sum(group).write(into: &members)
  }

  /// The row of the totals.
  func writeTotals(into members: inout some JSONMembers) {
    members.object("group") { _ in }
    sum(0, of: totals, totalCost).write(into: &members)
  }

  /// The groups as they are shown: the most expensive ones first, then those with most tokens, then most calls; with a
  /// time among the dimensions by their values.
  ///
  /// - Parameter top: only the first so many, before they are sorted by time.
  func order(top: Int?) -> [Int] {
    // Of values by their names; mostly no two groups are alike in all else.
    lazy var ranks = grouping.ranks()
    var keys = (0..<groupCount).map { group in
      OrderKey(
        group: group, cost: costs[group].total ?? ExactSum(), tokens: measures.sums[group].total.value ?? 0,
        calls: measures.sums[group].calls)
    }
    keys.sort { left, right in
      left.decides(over: right) ?? ranks[left.group].lexicographicallyPrecedes(ranks[right.group])
    }
    var order = keys.map(\.group)
    if let top { order = Array(order.prefix(max(0, top))) }
    if dimensions.contains(where: \.isTime) {
      order.sort { ranks[$0].lexicographicallyPrecedes(ranks[$1]) }
    }
    return order
  }
}

/// What a group's place among the others depends on.
private struct OrderKey {
  let group: Int
  let cost: ExactSum
  let tokens: Int
  let calls: Int

  /// Whether it comes before another one; nil if they are alike.
  func decides(over other: OrderKey) -> Bool? {
    if cost != other.cost { return other.cost < cost }
    if tokens != other.tokens { return tokens > other.tokens }
    return calls == other.calls ? nil : calls > other.calls
  }
}

/// The rows of a report, each made when it is asked for: there may be as many as calls.
package struct UsageRows: RandomAccessCollection, Sendable {
  private let report: UsageReport
  private let order: [Int]
  private let hasTotals: Bool

  /// - Parameter totals: whether a row with all calls comes last. Without dimensions it is the only one.
  init(_ report: UsageReport, totals: Bool, top: Int?) {
    self.report = report
    order = report.order(top: top)
    hasTotals = report.calls > 0 && (totals || report.dimensions.isEmpty)
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { order.count + (hasTotals ? 1 : 0) }

  package subscript(_ place: Int) -> JSONValue {
    var tree = JSONTree()
    write(place, into: &tree)
    return .object(tree.members)
  }

  /// Appends a row as JSON, as deep as `indent` says, or compact.
  package func write(_ place: Int, into bytes: inout [UInt8], indent: Int?) {
    var text = JSONText(indent: indent)
    write(place, into: &text)
    text.finish(into: &bytes)
  }

  private func write(_ place: Int, into members: inout some JSONMembers) {
    if place < order.count { report.write(order[place], into: &members) } else { report.writeTotals(into: &members) }
  }

  /// The values of a dimension that rows have, by row; nil in the totals.
  package func values(of dimension: UsageDimension) -> [String?] {
    guard let place = report.dimensions.firstIndex(of: dimension) else { return [] }
    return order.map { report.texts($0)[place] }
  }
}
