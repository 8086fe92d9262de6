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
    1 + 2 * (Unpriced.Reason.allCases.firstIndex(of: reason) ?? 0) + (hasUsage ? 1 : 0)
  }

  private static let noUsage = number(.noUsage, hasUsage: false)
  private static let badUsage = [number(.badUsage, hasUsage: false), number(.badUsage, hasUsage: true)]

  init(_ prices: PriceTable) { classes = PriceClasses(prices) }

  static let names: Set<UsageRow.Name> = [.provider, .model, .usageContradiction, .usageUnknownReason]

  /// For each of these calls of a block a number, and the tokens that the call adds to it.
  mutating func sort(_ calls: [Int], of block: UsageBlock) -> (numbers: [Int], tokens: [PricedTokens]) {
    let models = modelNumbers(block)
    let (started, flags) = (block[.started], block[.flags])
    let (prompt, completion, total) = (block[.prompt], block[.completion], block[.total])
    let (cached, reasoning) = (block[.cached], block[.reasoning])
    let (contradicted, unknown) = (block[.usageContradiction].places, block[.usageUnknownReason].places)
    var numbers: [Int] = []
    var tokens: [PricedTokens] = []
    numbers.reserveCapacity(calls.count)
    tokens.reserveCapacity(calls.count)
    for call in calls {
      let hasUsage = flags[call] & UsageRow.hasUsageFlag != 0
      var sorted = (number: 0, tokens: PricedTokens(calls: 1))
      if flags[call] & UsageRow.mockFlag != 0 {
        // Costs nothing.
      } else if contradicted[call] != UsageBlock.none {
        sorted.number = Self.badUsage[hasUsage ? 1 : 0]
      } else if !hasUsage {
        sorted.number = unknown[call] == UsageBlock.none ? Self.noUsage : Self.badUsage[0]
      } else if let found = classes.add(
        model: models[call], prompt: UsageBlock.known(prompt[call]), completion: UsageBlock.known(completion[call]),
        cached: UsageBlock.known(cached[call]), reasoning: UsageBlock.known(reasoning[call]),
        total: UsageBlock.known(total[call]), at: Int64(started[call]))
      {
        if found.number == classModels.count { classModels.append(models[call]) }
        sorted = (Self.firstClass + found.number, found.tokens)
      } else {
        sorted.number = Self.badUsage[1]
      }
      numbers.append(sorted.number)
      tokens.append(sorted.tokens)
    }
    return (numbers, tokens)
  }

  /// Adds what calls of one number cost together.
  func add(_ number: Int, _ tokens: PricedTokens, to cost: inout CostSum) {
    if number >= Self.firstClass {
      cost.add(number - Self.firstClass, tokens, of: classes)
    } else if number == 0 {
      cost.addMock()
    } else {
      let reason = Unpriced.Reason.allCases[(number - 1) / 2]
      cost.addUnpriced(reason, calls: tokens.calls, hasUsage: number.isMultiple(of: 2))
    }
  }

  /// The models that could not be priced for want of a price, most calls first.
  ///
  /// - Parameter tokens: by number.
  func unpricedModels(_ tokens: [PricedTokens]) -> [(name: String, calls: Int, why: String)] {
    var found: [String: (calls: Int, why: String)] = [:]
    for (number, tokens) in tokens.enumerated().dropFirst(Self.firstClass) where tokens.calls > 0 {
      guard let why = classes.problem(number - Self.firstClass) else { continue }
      let name = modelNames[classModels[number - Self.firstClass]]
      found["\(name.provider ?? "?")/\(name.model ?? "?")", default: (0, why.message)].calls += tokens.calls
    }
    return found.map { ($0.key, $0.value.calls, $0.value.why) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
  }

  // MARK: Models

  /// The number of each call's model.
  private mutating func modelNumbers(_ block: UsageBlock) -> [Int] {
    let (providers, names) = (block[.provider], block[.model])
    // A row for each provider and one for none, a column for each model and one for none.
    let width = names.texts.count + 1
    var known = [Int](repeating: -1, count: (providers.texts.count + 1) * width)
    return (0..<block.count).map { call in
      let (provider, model) = (UsageBlock.known(providers.places[call]), UsageBlock.known(names.places[call]))
      let place = (provider ?? providers.texts.count) * width + (model ?? names.texts.count)
      if known[place] < 0 {
        known[place] = number(
          ModelName(provider: provider.map { providers.texts[$0] }, model: model.map { names.texts[$0] }))
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
