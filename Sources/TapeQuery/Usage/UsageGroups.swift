internal import TapeCatalogue
internal import TapeJSON

/// Tells the groups of a report apart, as numbers: each value of a dimension has one, and each combination of values.
struct UsageGroups {
  /// The values of one dimension that came so far.
  private struct Axis {
    var numbers: [String: Int] = [:]
    var texts: [String?] = []
    var unknown: Int?

    mutating func number(_ text: String?) -> Int {
      guard let text else {
        if let unknown { return unknown }
        texts.append(nil)
        unknown = texts.count - 1
        return texts.count - 1
      }
      if let known = numbers[text] { return known }
      texts.append(text)
      numbers[text] = texts.count - 1
      return texts.count - 1
    }
  }

  /// Each call's value of one dimension, or its several ones.
  private enum Values {
    case one([Int])
    case several([[Int]])
  }

  private struct Combination: Hashable {
    /// That of the dimensions before, by its number.
    var before: Int
    var value: Int
  }

  private let dimensions: [UsageDimension]
  private var buckets: [UsageBuckets]
  private var axes: [Axis]
  /// The values of the dimensions, for the calls of the block at hand.
  private var values: [Values] = []
  /// For each dimension the combinations up to it, and their numbers: the last ones are the groups'.
  private var numbers: [[Combination: Int]]
  private var combinations: [[Combination]]

  init(_ dimensions: [UsageDimension], timeZone: TimeZoneRules) {
    self.dimensions = dimensions
    buckets = dimensions.map { UsageBuckets($0, zone: timeZone) }
    axes = dimensions.map { _ in Axis() }
    numbers = dimensions.map { _ in [:] }
    combinations = dimensions.map { _ in [] }
  }

  /// How many groups there are so far; they are numbered from 0.
  var count: Int { combinations.last?.count ?? 0 }

  /// The name columns of blocks that are read.
  var names: Set<UsageRow.Name> { Set(dimensions.compactMap(\.blockName)) }

  /// The values of a group.
  func texts(_ group: Int) -> [String?] {
    var texts: [String?] = []
    var number = group
    for depth in dimensions.indices.reversed() {
      let combination = combinations[depth][number]
      texts.append(axes[depth].texts[combination.value])
      number = combination.before
    }
    return texts.reversed()
  }

  /// Takes in a block: `find` is then about its calls. Columns behind the fixed ones are `trace` and metadata, in their order.
  mutating func enter(_ block: UsageBlock) {
    var extra = UsageRow.Name.allCases.count
    for (index, dimension) in dimensions.enumerated() {
      let entered: Values
      switch dimension {
      case .hour, .day, .month:
        let started = block[.started]
        entered = .one(started.map { axes[index].number(buckets[index].name(ns: Int64($0))) })
      case .tag:
        let column = block[.threadTags]
        let lists = column.texts.map { json in Self.tags(json).map { axes[index].number($0) } }
        let none = [axes[index].number(nil)]
        entered = .several(column.places.map { $0 == UsageBlock.none ? none : lists[$0] })
      case .trace, .metadata:
        entered = .one(numbers(block.texts[extra], block.names[extra], index))
        extra += 1
      default:
        guard let name = dimension.blockName else { continue }
        entered = .one(numbers(block[name].texts, block[name].places, index))
      }
      if values.count > index { values[index] = entered } else { values.append(entered) }
    }
  }

  private mutating func numbers(_ texts: [String], _ places: [Int], _ axis: Int) -> [Int] {
    var numbers = texts.map { axes[axis].number($0) }
    if places.contains(UsageBlock.none) { numbers.append(axes[axis].number(nil)) }
    let unknown = numbers.count - 1
    return places.map { numbers[$0 == UsageBlock.none ? unknown : $0] }
  }

  private static func tags(_ json: String) -> [String?] {
    let tags = QueryEngine.parsed(json)?.array?.compactMap(\.string) ?? []
    return tags.isEmpty ? [nil] : Array(Set(tags))
  }

  /// The groups that a call of the block belongs to: one, or one for each of its tags.
  mutating func find(_ call: Int, into groups: inout [Int]) {
    groups.removeAll(keepingCapacity: true)
    find(call, depth: 0, before: 0, &groups)
  }

  private mutating func find(_ call: Int, depth: Int, before: Int, _ groups: inout [Int]) {
    guard depth < dimensions.count else { return groups.append(before) }
    switch values[depth] {
    case .one(let values): find(call, depth: depth + 1, before: number(depth, before, values[call]), &groups)
    case .several(let values):
      for value in values[call] { find(call, depth: depth + 1, before: number(depth, before, value), &groups) }
    }
  }

  private mutating func number(_ depth: Int, _ before: Int, _ value: Int) -> Int {
    let combination = Combination(before: before, value: value)
    if let known = numbers[depth][combination] { return known }
    numbers[depth][combination] = combinations[depth].count
    combinations[depth].append(combination)
    return combinations[depth].count - 1
  }
}

/// Names of stretches of time, each looked up once.
private struct UsageBuckets {
  private let dimension: UsageDimension
  private let buckets: TimeBuckets
  private var known: [Int64: String?] = [:]
  private static let stretchNs: Int64 = 900 * 1_000_000_000

  init(_ dimension: UsageDimension, zone: TimeZoneRules) {
    self.dimension = dimension
    buckets = TimeBuckets(zone: zone)
  }

  /// Clocks mostly change on a quarter of an hour; where they do not, each time is looked up.
  mutating func name(ns: Int64) -> String {
    let stretch = ns.floorDivided(by: Self.stretchNs)
    if case .some(let name) = known[stretch] { return name ?? plainName(ns) }
    let (start, overflow) = stretch.multipliedReportingOverflow(by: Self.stretchNs)
    guard !overflow, start < Int64.max - Self.stretchNs else { return plainName(ns) }
    let name = plainName(start)
    let isOne = plainName(start + Self.stretchNs - 1) == name
    known[stretch] = .some(isOne ? name : nil)
    return isOne ? name : plainName(ns)
  }

  private func plainName(_ ns: Int64) -> String {
    switch dimension {
    case .hour: buckets.hour(ns: ns)
    case .month: buckets.month(ns: ns)
    default: buckets.day(ns: ns)
    }
  }
}
