internal import TapeCatalogue
internal import TapePricing
internal import TapeTypes

/// Sorts calls by what decides on their cost: a class of prices, or why there is none.
struct UsagePricing: Sendable {
  private var classes: PriceClasses
  private var models: [ModelName: Int] = [:]
  private var modelNames: [ModelName] = []
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
    _ calls: [Int], of block: UsageBlock, _ columns: UsageColumns, into sorted: inout [ClassedUsage]
  ) {
    let models = modelNumbers(block, columns)
    let (flags, hasUsageFlag, mockFlag) = (columns[.flags], UsageRow.hasUsageFlag, UsageRow.mockFlag)
    let (contradicted, unknown) = (columns[.usageContradiction], columns[.usageUnknownReason])
    sorted.removeAll(keepingCapacity: true)
    for call in calls {
      let number: Int
      let hasUsage = flags[call] & hasUsageFlag != 0
      if flags[call] & mockFlag != 0 {
        // Costs nothing.
        number = 0
      } else if contradicted[call] != UsageBlock.none || (!hasUsage && unknown[call] != UsageBlock.none) {
        number = Self.number(.badUsage, hasUsage: hasUsage)
      } else {
        number = hasUsage ? ClassedUsage.unsorted : Self.number(.noUsage, hasUsage: false)
      }
      sorted.append(ClassedUsage(number: number))
    }
    classes.sort(
      calls, of: UsageColumnPointers(columns), models: models, into: &sorted, from: Self.firstClass,
      impossible: Self.number(.badUsage, hasUsage: true))
    count(sorted)
  }

  private mutating func count(_ sorted: [ClassedUsage]) {
    let numbers = Self.firstClass + classes.classes.count
    if counts.count < numbers { counts += repeatElement(0, count: numbers - counts.count) }
    counts.withUnsafeMutableBufferPointer { counts in
      for call in sorted { counts[call.number] += 1 }
    }
  }

  /// Adds what calls cost to the sums of their groups.
  func add(_ sorted: [ClassedUsage], _ members: [GroupMember], to costs: inout [CostSum]) {
    classes.classes.withUnsafeBufferPointer { prices in
      costs.withUnsafeMutableBufferPointer { costs in
        for member in members {
          let number = sorted[member.place].number
          if number >= Self.firstClass {
            costs[member.group].add(sorted[member.place], at: prices[number - Self.firstClass])
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
      let name = modelNames[classes.models[number - Self.firstClass]]
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

extension UsageColumnPointers {
  fileprivate init(_ columns: UsageColumns) {
    self.init(
      prompt: columns[.prompt], completion: columns[.completion], cached: columns[.cached],
      reasoning: columns[.reasoning], total: columns[.total], started: columns[.started])
  }
}
