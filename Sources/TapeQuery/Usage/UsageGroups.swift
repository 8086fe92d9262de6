internal import TapeCatalogue
internal import TapeJSON
internal import TapeTypes

/// Tells the groups of a report apart, as numbers: each value of a dimension has one, and each combination of values.
struct UsageGroups {
  /// The values of one dimension that came so far. Their numbers are those of the texts, but for the one of no value.
  private struct Axis {
    private var numbers = TextNumbers()
    /// Where the value stands that is none, once it came: what came behind it has a number more.
    private var unknown: Int?

    var count: Int { numbers.texts.count + (unknown == nil ? 0 : 1) }

    /// The number of no value.
    mutating func numberOfUnknown() -> Int {
      let number = unknown ?? numbers.texts.count
      unknown = number
      return number
    }

    mutating func number(_ text: UnsafeRawBufferPointer) -> Int { behindUnknown(numbers.number(text)) }

    mutating func number(_ text: String) -> Int { behindUnknown(numbers.number(text)) }

    private func behindUnknown(_ number: Int) -> Int { number >= unknown ?? Int.max ? number + 1 : number }

    func text(_ number: Int) -> String? {
      if number == unknown { return nil }
      return numbers.texts[number > unknown ?? Int.max ? number - 1 : number]
    }
  }

  /// Each call's value of one dimension, or its several ones.
  private enum Values {
    case one([Int])
    case several([[Int]])
  }

  private let dimensions: [UsageDimension]
  private var buckets: [UsageBuckets]
  private var axes: [Axis]
  /// The values of the dimensions, for the calls of the block at hand.
  private var values: [Values] = []
  /// For each dimension the combinations up to it: that of the dimensions before, by its number, and a value. The
  /// numbers of the last ones are the groups'.
  private var combinations: [PairNumbers]
  /// The number of each value of the first dimension in `combinations`, -1 for none yet: that one needs no hashing.
  private var firsts: [Int] = []

  init(_ dimensions: [UsageDimension], timeZone: TimeZoneRules) {
    self.dimensions = dimensions
    buckets = dimensions.map { UsageBuckets($0, zone: timeZone) }
    axes = dimensions.map { _ in Axis() }
    combinations = dimensions.map { _ in PairNumbers() }
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
      let combination = combinations[depth].pairs[number]
      texts.append(axes[depth].text(combination.second))
      number = combination.first
    }
    return texts.reversed()
  }

  /// For each group the places of its values in their order, one dimension after the other: hours by time, all else by
  /// bytes, unknown ones behind all others.
  func ranks() -> [[Int]] {
    let ranks = axes.indices.map { axis in
      let texts = (0..<axes[axis].count).map { axes[axis].text($0) }
      let order = texts.indices.sorted { comesBefore(texts[$0], texts[$1], isHour: dimensions[axis] == .hour) }
      var ranks = [Int](repeating: 0, count: texts.count)
      for (rank, value) in order.enumerated() { ranks[value] = rank }
      return ranks
    }
    return (0..<count).map { group in
      var number = group
      var places = [Int](repeating: 0, count: dimensions.count)
      for depth in dimensions.indices.reversed() {
        let combination = combinations[depth].pairs[number]
        places[depth] = ranks[depth][combination.second]
        number = combination.first
      }
      return places
    }
  }

  private func comesBefore(_ left: String?, _ right: String?, isHour: Bool) -> Bool {
    guard let left else { return false }
    guard let right else { return true }
    return isHour ? TimeBuckets.hour(left, comesBefore: right) : left.utf8.lexicographicallyPrecedes(right.utf8)
  }

  /// The groups that calls of a block belong to. Columns behind the fixed ones are `trace` and metadata, in their order.
  ///
  /// - Parameter members: what was there goes; its memory is used again.
  mutating func group(
    _ calls: [Int], of block: UsageBlock, _ columns: UsageColumns, into members: inout [GroupMember]
  ) {
    enter(block, columns)
    members.removeAll(keepingCapacity: true)
    for depth in dimensions.indices {
      switch values[depth] {
      case .one(let values) where depth == 0:
        firsts += repeatElement(-1, count: axes[0].count - firsts.count)
        Self.group(calls, values, &firsts, &combinations[0], into: &members)
      case .one(let values):
        for index in members.indices {
          let value = values[calls[members[index].place]]
          members[index].group = combinations[depth].number(members[index].group, value)
        }
      case .several(let values):
        let before = depth == 0 ? calls.indices.map { GroupMember(place: $0, group: 0) } : members
        members = before.flatMap { member in
          values[calls[member.place]].map { value in
            GroupMember(place: member.place, group: combinations[depth].number(member.group, value))
          }
        }
      }
    }
  }

  /// The groups by the first dimension alone.
  private static func group(
    _ calls: [Int], _ values: [Int], _ numbers: inout [Int], _ combinations: inout PairNumbers,
    into members: inout [GroupMember]
  ) {
    numbers.withUnsafeMutableBufferPointer { numbers in
      for (place, call) in calls.enumerated() {
        let value = values[call]
        if numbers[value] < 0 { numbers[value] = combinations.number(0, value) }
        members.append(GroupMember(place: place, group: numbers[value]))
      }
    }
  }

  private mutating func enter(_ block: UsageBlock, _ columns: UsageColumns) {
    var extra = UsageRow.Name.allCases.count
    for (index, dimension) in dimensions.enumerated() {
      let entered: Values
      switch dimension {
      case .hour, .day, .month:
        let started = columns[.started]
        entered = .one((0..<block.count).map { axes[index].number(buckets[index].name(ns: Int64(started[$0]))) })
      case .tag:
        let none = [axes[index].numberOfUnknown()]
        let lists = block.texts[UsageRow.Name.threadTags.rawValue].strings.map { json in
          let tags = Self.tags(json)
          return tags.isEmpty ? none : tags.map { axes[index].number($0) }
        }
        let places = columns[.threadTags]
        entered = .several((0..<block.count).map { places[$0] == UsageBlock.none ? none : lists[places[$0]] })
      case .trace, .metadata:
        entered = .one(numbers(extra, index, block, columns))
        extra += 1
      default:
        guard let name = dimension.blockName else { continue }
        entered = .one(numbers(name.rawValue, index, block, columns))
      }
      if values.count > index { values[index] = entered } else { values.append(entered) }
    }
  }

  /// The numbers that a dimension has for the values of a name column.
  private mutating func numbers(_ name: Int, _ axis: Int, _ block: UsageBlock, _ columns: UsageColumns) -> [Int] {
    let texts = block.texts[name]
    var numbers = texts.indices.map { texts.withBytes(of: $0) { axes[axis].number($0) } }
    let places = UnsafeBufferPointer(start: columns[name: name], count: block.count)
    if places.contains(UsageBlock.none) { numbers.append(axes[axis].numberOfUnknown()) }
    let unknown = numbers.count - 1
    return places.map { numbers[$0 == UsageBlock.none ? unknown : $0] }
  }

  private static func tags(_ json: String) -> Set<String> {
    Set(QueryEngine.parsed(json)?.array?.compactMap(\.string) ?? [])
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
