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
  mutating func sort(_ calls: [Int], of block: UsageBlock, _ columns: UsageColumns) -> SortedUsages {
    let models = modelNumbers(block, columns)
    let facts = PricedColumns(columns)
    var numbers = [Int](repeating: 0, count: calls.count)
    var usages = [BillableUsage](repeating: .nothing, count: calls.count)
    for (place, call) in calls.enumerated() {
      let hasUsage = facts.flags[call] & UsageRow.hasUsageFlag != 0
      if facts.flags[call] & UsageRow.mockFlag != 0 {
        // Costs nothing.
      } else if facts.contradicted[call] != UsageBlock.none {
        numbers[place] = Self.badUsage[hasUsage ? 1 : 0]
      } else if !hasUsage {
        numbers[place] = facts.unknown[call] == UsageBlock.none ? Self.noUsage : Self.badUsage[0]
      } else if let found = facts.sort(call, model: models[call], into: &classes) {
        if found.number == classModels.count { classModels.append(models[call]) }
        numbers[place] = Self.firstClass + found.number
        usages[place] = found.usage
      } else {
        numbers[place] = Self.badUsage[1]
      }
    }
    return SortedUsages(numbers: numbers, usages: usages)
  }

  /// Adds what calls cost to the sums of their groups.
  func add(_ sorted: SortedUsages, _ members: [GroupMember], to costs: inout [CostSum]) {
    classes.classes.withUnsafeBufferPointer { classes in
      costs.withUnsafeMutableBufferPointer { costs in
        for member in members {
          let number = sorted.numbers[member.place]
          if number >= Self.firstClass {
            costs[member.group].add(sorted.usages[member.place], at: classes[number - Self.firstClass])
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
struct SortedUsages {
  let numbers: [Int]
  let usages: [BillableUsage]
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
