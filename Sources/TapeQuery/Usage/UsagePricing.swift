internal import TapeCatalogue
internal import TapePricing

/// Sorts calls by what decides on their cost: a class of prices, or why there is none.
struct UsagePricing: Sendable {
  private var classes: PriceClasses
  private var models: [ModelName: Int] = [:]
  private var modelNames: [ModelName] = []
  /// The model of each class.
  private var classModels: [Int] = []

  private struct ModelName: Hashable {
    var provider: String?
    var model: String?
  }

  /// Numbers below are no classes: 0 for mock calls, which cost nothing, then two for each reason, without usage and with.
  private static let firstClass = 1 + 2 * Unpriced.Reason.allCases.count

  private static func number(_ reason: Unpriced.Reason, hasUsage: Bool) -> Int {
    1 + 2 * reason.place + (hasUsage ? 1 : 0)
  }

  private static let noUsage = number(.noUsage, hasUsage: false)
  private static let badUsage = [number(.badUsage, hasUsage: false), number(.badUsage, hasUsage: true)]

  init(_ prices: PriceTable) { classes = PriceClasses(prices) }

  static let names: Set<UsageRow.Name> = [.provider, .model, .usageContradiction, .usageUnknownReason]

  /// For each of these calls of a block a number, and what of its usage is billed.
  ///
  /// - Parameter sorted: what was there goes; its memory is used again.
  mutating func sort(
    _ calls: [Int], of block: UsageBlock, _ columns: UsageColumns, into sorted: inout SortedUsages
  ) {
    let models = modelNumbers(block, columns)
    let facts = PricedColumns(columns)
    sorted.numbers.removeAll(keepingCapacity: true)
    sorted.usages.removeAll(keepingCapacity: true)
    for call in calls {
      let (number, usage) = sort(call, facts, model: models[call])
      sorted.numbers.append(number)
      sorted.usages.append(usage)
    }
  }

  private mutating func sort(_ call: Int, _ facts: PricedColumns, model: Int) -> (Int, BillableUsage) {
    let hasUsage = facts.flags[call] & UsageRow.hasUsageFlag != 0
    // Costs nothing.
    if facts.flags[call] & UsageRow.mockFlag != 0 { return (0, .nothing) }
    if facts.contradicted[call] != UsageBlock.none { return (Self.badUsage[hasUsage ? 1 : 0], .nothing) }
    if !hasUsage { return (facts.unknown[call] == UsageBlock.none ? Self.noUsage : Self.badUsage[0], .nothing) }
    guard let found = facts.sort(call, model: model, into: &classes) else { return (Self.badUsage[1], .nothing) }
    if found.number == classModels.count { classModels.append(model) }
    return (Self.firstClass + found.number, found.usage)
  }

  /// Adds what calls cost to the sums of their groups.
  func add(_ sorted: SortedUsages, _ members: [GroupMember], to costs: inout [CostSum]) {
    classes.classes.withUnsafeBufferPointer { prices in
      costs.withUnsafeMutableBufferPointer { costs in
        for member in members {
          let number = sorted.numbers[member.place]
          if number >= Self.firstClass {
            let place = number - Self.firstClass
            costs[member.group].add(sorted.usages[member.place], place, at: prices[place], of: classes)
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
  ///
  /// - Parameter counts: calls by number.
  func unpricedModels(_ counts: [Int]) -> [(name: String, calls: Int, why: String)] {
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
      let (provider, model) = (UsageBlock.known(providerPlaces[call]), UsageBlock.known(namePlaces[call]))
      let place = (provider ?? providers.count) * width + (model ?? names.count)
      if known[place] < 0 {
        known[place] = number(ModelName(provider: provider.map { providers[$0] }, model: model.map { names[$0] }))
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

/// Calls of a block by what decides on their cost.
struct SortedUsages: Sendable {
  fileprivate(set) var numbers: [Int] = []
  fileprivate(set) var usages: [BillableUsage] = []
}

/// What decides on the costs of a block's calls.
private struct PricedColumns {
  let flags: UnsafePointer<Int>
  let contradicted: UnsafePointer<Int>
  let unknown: UnsafePointer<Int>
  private let started: UnsafePointer<Int>
  private let prompt: UnsafePointer<Int>
  private let completion: UnsafePointer<Int>
  private let total: UnsafePointer<Int>
  private let cached: UnsafePointer<Int>
  private let reasoning: UnsafePointer<Int>

  init(_ columns: UsageColumns) {
    flags = columns[.flags]
    contradicted = columns[.usageContradiction]
    unknown = columns[.usageUnknownReason]
    started = columns[.started]
    prompt = columns[.prompt]
    completion = columns[.completion]
    total = columns[.total]
    cached = columns[.cached]
    reasoning = columns[.reasoning]
  }

  func sort(_ call: Int, model: Int, into classes: inout PriceClasses) -> (number: Int, usage: BillableUsage)? {
    classes.sort(
      model: model, prompt: UsageBlock.known(prompt[call]), completion: UsageBlock.known(completion[call]),
      cached: UsageBlock.known(cached[call]), reasoning: UsageBlock.known(reasoning[call]),
      total: UsageBlock.known(total[call]), at: Int64(started[call]))
  }
}
