internal import TapeCatalogue
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// Adds calls up by group, block by block.
struct UsageReport {
  private let dimensions: [UsageDimension]
  private var grouping: UsageGroups
  private var sums: [UsageSum] = []
  private(set) var all = UsageSum()

  private var classes: PriceClasses
  private var models: [ModelName: Int] = [:]
  private var modelNames: [ModelName] = []
  /// The model of each class.
  private var classModels: [Int] = []
  /// The tokens of each class that each group has, and that all calls have.
  private var priced: [GroupClass: PricedTokens] = [:]
  private var allPriced: [PricedTokens] = []

  private struct ModelName: Hashable {
    var provider: String?
    var model: String?
  }

  private struct GroupClass: Hashable {
    var group: Int
    var number: Int
  }

  /// What becomes of a call's cost.
  private enum Pricing {
    case mock
    case unpriced(Unpriced.Reason)
    case number(Int, PricedTokens)
  }

  init(dimensions: [UsageDimension], timeZone: TimeZoneRules, prices: PriceTable) {
    self.dimensions = dimensions
    grouping = UsageGroups(dimensions, timeZone: timeZone)
    classes = PriceClasses(prices)
  }

  /// The name columns that are read.
  var names: Set<UsageRow.Name> {
    grouping.names.union([.state, .provider, .model, .usageContradiction, .usageUnknownReason])
  }

  // MARK: Adding

  /// Adds those calls of a block that `filter` lets through; all without one.
  mutating func add(_ block: UsageBlock, filter: UsageFilter?) {
    let calls = filter?.calls(of: block) ?? Array(0..<block.count)
    guard !calls.isEmpty else { return }
    if !dimensions.isEmpty { grouping.enter(block) }
    let facts = BlockFacts(block)
    let models = modelNumbers(block)
    var groups: [Int] = []
    for call in calls {
      let call = (number: call, facts: facts[call])
      let pricing = pricing(of: call.number, call.facts, in: block, model: models[call.number])
      all.add(call.facts)
      note(pricing, call.facts, in: &all.cost)
      if case .number(let number, let tokens) = pricing {
        while allPriced.count <= number { allPriced.append(PricedTokens()) }
        allPriced[number] += tokens
      }
      guard !dimensions.isEmpty else { continue }
      grouping.find(call.number, into: &groups)
      for group in groups {
        while sums.count <= group { sums.append(UsageSum()) }
        sums[group].add(call.facts)
        note(pricing, call.facts, in: &sums[group].cost)
        if case .number(let number, let tokens) = pricing {
          priced[GroupClass(group: group, number: number), default: PricedTokens()] += tokens
        }
      }
    }
  }

  private func note(_ pricing: Pricing, _ facts: UsageFacts, in cost: inout CostSum) {
    switch pricing {
    case .mock: cost.addMock()
    case .unpriced(let reason): cost.addUnpriced(reason, hasUsage: facts.hasUsage)
    case .number: break
    }
  }

  private mutating func pricing(of call: Int, _ facts: UsageFacts, in block: UsageBlock, model: Int) -> Pricing {
    if block[.flags][call] & UsageRow.mockFlag != 0 { return .mock }
    if block[.usageContradiction].places[call] != UsageBlock.none { return .unpriced(.badUsage) }
    guard facts.hasUsage else {
      return .unpriced(block[.usageUnknownReason].places[call] == UsageBlock.none ? .noUsage : .badUsage)
    }
    let found = classes.add(
      model: model, prompt: facts.prompt, completion: facts.completion, cached: facts.cached,
      reasoning: facts.reasoning, total: facts.total, at: Int64(block[.started][call]))
    guard let found else { return .unpriced(.badUsage) }
    while classModels.count <= found.number { classModels.append(model) }
    return .number(found.number, found.tokens)
  }

  /// The number of each call's model.
  private mutating func modelNumbers(_ block: UsageBlock) -> [Int] {
    let (providers, names) = (block[.provider], block[.model])
    var known: [ModelPlaces: Int] = [:]
    return (0..<block.count).map { call in
      let places = ModelPlaces(provider: providers.places[call], model: names.places[call])
      if let number = known[places] { return number }
      let name = ModelName(
        provider: places.provider == UsageBlock.none ? nil : providers.texts[places.provider],
        model: places.model == UsageBlock.none ? nil : names.texts[places.model])
      let number = models[name] ?? newModel(name)
      known[places] = number
      return number
    }
  }

  private struct ModelPlaces: Hashable {
    var provider: Int
    var model: Int
  }

  private mutating func newModel(_ name: ModelName) -> Int {
    let number = classes.model(provider: name.provider, model: name.model)
    models[name] = number
    modelNames.append(name)
    return number
  }

  // MARK: What came out

  /// Prices what was added up. Nothing is added any more.
  mutating func finish() {
    for (key, tokens) in priced { sums[key.group].cost.add(classes.cost(key.number, tokens), calls: tokens.calls) }
    for (number, tokens) in allPriced.enumerated() where tokens.calls > 0 {
      all.cost.add(classes.cost(number, tokens), calls: tokens.calls)
    }
  }

  /// The values of each group, and its sums.
  var groups: [(key: [String?], value: UsageSum)] {
    sums.enumerated().map { (key: grouping.texts($0.offset), value: $0.element) }
  }

  /// The models that could not be priced for want of a price, most calls first.
  var unpricedModels: [(name: String, calls: Int, why: String)] {
    var found: [String: (calls: Int, why: String)] = [:]
    for (number, tokens) in allPriced.enumerated() where tokens.calls > 0 {
      guard case .unknown(let why) = classes.cost(number, tokens) else { continue }
      let name = modelNames[classModels[number]]
      found["\(name.provider ?? "?")/\(name.model ?? "?")", default: (0, why.message)].calls += tokens.calls
    }
    return found.map { ($0.key, $0.value.calls, $0.value.why) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
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

/// The facts of a block's calls, by their place.
private struct BlockFacts {
  private let states: [CallState?]
  private let places: [Int]
  private let block: UsageBlock

  init(_ block: UsageBlock) {
    self.block = block
    states = block[.state].texts.map { CallState(rawValue: $0) }
    places = block[.state].places
  }

  subscript(_ call: Int) -> UsageFacts {
    let state = (places[call] == UsageBlock.none ? nil : states[places[call]]) ?? .lost
    func number(_ column: UsageRow.Number) -> Int? {
      let value = block[column][call]
      return value == UsageBlock.none ? nil : value
    }
    return UsageFacts(
      isError: state.isError, isAbort: state == .clientAbort,
      hasUsage: block[.flags][call] & UsageRow.hasUsageFlag != 0, prompt: number(.prompt),
      completion: number(.completion), total: number(.total), cached: number(.cached), reasoning: number(.reasoning),
      firstContentNs: number(.firstContent), durationNs: number(.duration))
  }
}
