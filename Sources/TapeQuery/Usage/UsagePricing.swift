internal import TapeCatalogue
internal import TapePricing
internal import TapeTypes

/// Sorts calls by what decides on their cost: a class of prices, or why there is none.
struct UsagePricing: Sendable {
  private var classes: PriceClasses
  private var models: [ModelName: Int] = [:]
  private var modelNames: [ModelName] = []
  /// The model of each class.
  private var classModels: [Int] = []
  /// All calls so far, by number.
  private var counts: [Int] = []

  private struct ModelName: Hashable {
    var provider: String?
    var model: String?
  }

  /// Numbers below are no classes: 0 for mock calls, which cost nothing, then two for each reason, without usage and with.
  private static let firstClass = 1 + 2 * Unpriced.Reason.allCases.count

  private static func number(_ reason: Unpriced.Reason, hasUsage: Bool) -> Int {
    1 + 2 * reason.place + (hasUsage ? 1 : 0)
  }

  init(_ prices: PriceTable) { classes = PriceClasses(prices) }

  static let names: Set<UsageRow.Name> = [.provider, .model, .usageContradiction, .usageUnknownReason]

  /// For each of these calls of a block what decides on its cost.
  ///
  /// - Parameter sorted: what was there goes; its memory is used again.
  mutating func sort(
    _ calls: [Int], of block: UsageBlock, _ columns: UsageColumns, into sorted: inout [SortedUsage]
  ) {
    let models = modelNumbers(block, columns)
    let facts = PricedColumns(columns)
    sorted.removeAll(keepingCapacity: true)
    for call in calls {
      let usage = sort(call, facts, model: models[call])
      sorted.append(usage)
      while counts.count <= usage.number { counts.append(0) }
      counts[usage.number] += 1
    }
  }

  private mutating func sort(_ call: Int, _ facts: PricedColumns, model: Int) -> SortedUsage {
    let hasUsage = facts.flags[call] & UsageRow.hasUsageFlag != 0
    // Costs nothing.
    if facts.flags[call] & UsageRow.mockFlag != 0 { return SortedUsage(number: 0) }
    if facts.contradicted[call] != UsageBlock.none || (!hasUsage && facts.unknown[call] != UsageBlock.none) {
      return SortedUsage(number: Self.number(.badUsage, hasUsage: hasUsage))
    }
    if !hasUsage { return SortedUsage(number: Self.number(.noUsage, hasUsage: false)) }
    guard let found = classes.sort(call, of: facts.usage, model: model) else {
      return SortedUsage(number: Self.number(.badUsage, hasUsage: true))
    }
    if found.number == classModels.count { classModels.append(model) }
    return SortedUsage(number: Self.firstClass + found.number, usage: found.usage)
  }

  /// Adds what calls cost to the sums of their groups.
  func add(_ sorted: [SortedUsage], _ members: [GroupMember], to costs: inout [CostSum]) {
    classes.classes.withUnsafeBufferPointer { prices in
      costs.withUnsafeMutableBufferPointer { costs in
        for member in members {
          let number = sorted[member.place].number
          if number >= Self.firstClass {
            costs[member.group].add(sorted[member.place].usage, at: prices[number - Self.firstClass])
          } else if number == 0 {
            costs[member.group].addMock()
          } else {
            let reason = Unpriced.Reason.allCases[(number - 1) / 2]
            costs[member.group].addUnpriced(reason, hasUsage: number.isMultiple(of: 2))
          }
        }
      }
    }
  }

  /// What models of a sum bill for that a usage does not tell.
  func notInUsage(_ cost: CostSum) -> [String] { classes.names(cost.notInUsage) }

  /// The models that could not be priced for want of a price, most calls first.
  var unpricedModels: [(name: String, calls: Int, why: String)] {
    var found: [String: (calls: Int, why: String)] = [:]
    for (number, count) in counts.enumerated().dropFirst(Self.firstClass) where count > 0 {
      guard let why = classes.problem(number - Self.firstClass) else { continue }
      let name = modelNames[classModels[number - Self.firstClass]]
      found["\(name.provider ?? "?")/\(name.model ?? "?")", default: (0, why.message)].calls += count
    }
    return found.map { ($0.key, $0.value.calls, $0.value.why) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
  }

  // MARK: Models

  /// The number of each call's model.
  private mutating func modelNumbers(_ block: UsageBlock, _ columns: UsageColumns) -> [Int] {
    let (providers, names) = (block.texts[UsageRow.Name.provider.rawValue], block.texts[UsageRow.Name.model.rawValue])
    let (providerPlaces, namePlaces) = (columns[.provider], columns[.model])
    // A row for each provider and one for none, a column for each model and one for none.
    let width = names.count + 1
    var known = [Int](repeating: -1, count: (providers.count + 1) * width)
    return (0..<block.count).map { call in
      let provider = providerPlaces[call] == UsageBlock.none ? providers.count : providerPlaces[call]
      let model = namePlaces[call] == UsageBlock.none ? names.count : namePlaces[call]
      let place = provider * width + model
      if known[place] < 0 {
        known[place] = number(
          ModelName(
            provider: provider == providers.count ? nil : providers[provider],
            model: model == names.count ? nil : names[model]))
      }
      return known[place]
    }
  }

  private mutating func number(_ name: ModelName) -> Int {
    if let known = models[name] { return known }
    let number = classes.model(provider: name.provider, model: name.model)
    models[name] = number
    modelNames.append(name)
    return number
  }
}

/// What decides on the cost of a call: a number of `UsagePricing`'s, and what of its usage is billed.
struct SortedUsage: Sendable {
  fileprivate let number: Int
  fileprivate var usage = BillableUsage.nothing
}

/// What decides on the costs of a block's calls.
private struct PricedColumns {
  let flags: UnsafePointer<Int>
  let contradicted: UnsafePointer<Int>
  let unknown: UnsafePointer<Int>
  let usage: UsageColumnPointers

  init(_ columns: UsageColumns) {
    flags = columns[.flags]
    contradicted = columns[.usageContradiction]
    unknown = columns[.usageUnknownReason]
    usage = UsageColumnPointers(
      prompt: columns[.prompt], completion: columns[.completion], cached: columns[.cached],
      reasoning: columns[.reasoning], total: columns[.total], started: columns[.started])
  }
}
