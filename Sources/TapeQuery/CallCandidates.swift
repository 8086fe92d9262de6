internal import TapeCatalogue

/// Finds the first calls of a list in the blocks of usage facts, which have of each call what is sorted by and most of what
/// is asked for in some forty bytes. What no index answers is found so without going through the rows of all calls: the
/// longest calls, those with most tokens, those of a model that few have, or nobody.
struct CallCandidates {
  /// Lists of more are not looked for here.
  private static let mostCalls = 1_024

  private let filter: CallFilter
  private let facts: UsageFilter
  private let order: CallOrder
  private let place: CallRank?

  /// nil where an index does it, or where blocks have not what is asked for.
  ///
  /// - Parameters:
  ///   - place: only calls behind it are meant.
  ///   - limit: how many calls of the list are wanted.
  init?(_ filter: CallFilter, _ order: CallOrder, after place: CallPlace?, limit: Int) {
    guard limit <= Self.mostCalls, order.sort.fact != nil || Self.hasNoIndex(filter) else { return nil }
    var wanted = filter
    // Lists show mock calls, sums do not.
    if filter.mock == .byDefault { wanted.mock = .include }
    guard let facts = UsageFilter(wanted) else { return nil }
    self.filter = filter
    self.facts = facts
    self.order = order
    self.place = place.map { CallRank($0.value ?? UsageBlock.none, startedNs: $0.startedNs, order) }
  }

  private static func hasNoIndex(_ filter: CallFilter) -> Bool {
    filter.model != nil || filter.provider != nil || filter.minDurationNs != nil
      || filter.deployment != nil && filter.state != nil
  }

  /// When the first calls of the list started, and perhaps some more.
  struct Found {
    var startedNs: Set<Int> = []
    /// Nothing that the filter lets through was left out.
    var isAll = true
  }

  /// - Parameter count: how many calls are wanted. Erased ones may be among them.
  func find(_ count: Int, in snapshot: CatalogueSnapshot) throws -> Found {
    var best = FirstCalls(count, after: place)
    try addLoose(to: &best, in: snapshot)
    var found = Found()
    var block = UsageBlock([])
    var calls: [Int] = []
    for bounds in try blocks(in: snapshot) {
      if order.sort.fact == nil, let last = best.last, last < firstRank(of: bounds) {
        // Those behind this block are later still.
        found.isAll = false
        break
      }
      try snapshot.read(bounds, names: facts.columns, into: &block)
      block.withColumns { columns in
        facts.select(from: block, columns, into: &calls)
        let (values, started) = (order.sort.fact.map { columns[$0] }, columns[.started])
        for call in calls { best.add(CallRank(values?[call] ?? 0, startedNs: started[call], order), started[call]) }
      }
      best.settle()
    }
    found.startedNs = best.startedNs
    if best.isCut { found.isAll = false }
    return found
  }

  /// In the order of the list, where it is one of time.
  private func blocks(in snapshot: CatalogueSnapshot) throws -> [UsageBlockBounds] {
    let blocks = try snapshot.usageBlockBounds(from: filter.from, to: filter.to)
    guard order.sort.fact == nil else { return blocks }
    return blocks.filter { block in place.map { !(lastRank(of: block) < $0) } ?? true }
      .sorted { firstRank(of: $0) < firstRank(of: $1) }
  }

  /// That of the first call that a block may have in a list by time.
  private func firstRank(of block: UsageBlockBounds) -> CallRank {
    CallRank(0, startedNs: order.sort == .oldest ? block.firstStartedNs : block.lastStartedNs, order)
  }

  private func lastRank(of block: UsageBlockBounds) -> CallRank {
    CallRank(0, startedNs: order.sort == .oldest ? block.lastStartedNs : block.firstStartedNs, order)
  }

  /// The few calls that are in no block.
  private func addLoose(to best: inout FirstCalls, in snapshot: CatalogueSnapshot) throws {
    let condition = FilterSQL(filter, hidesMocks: false)
    let sql = """
      SELECT c.started_ns, \(order.sort.column ?? "NULL")
      FROM usage_loose l CROSS JOIN calls c ON c.call_key = l.call_key\(condition.clause)
      """
    try snapshot.query(sql, condition.arguments) { row in
      guard let started = row.integer(0) else { return }
      best.add(CallRank(row.integer(1) ?? UsageBlock.none, startedNs: started, order), started)
    }
    best.settle()
  }
}

/// Where a call stands in a list, the first one least. Calls of the same rank started at the same moment.
private struct CallRank: Comparable {
  private let value: Int
  private let started: Int

  init(_ value: Int, startedNs: Int, _ order: CallOrder) {
    // Unknown values come last, whatever is sorted by.
    let value = order.sort.fact == nil ? 0 : value == UsageBlock.none ? Int.max : -value
    let started = order.sort == .oldest ? startedNs : -startedNs
    (self.value, self.started) = order.isBackwards ? (-value, -started) : (value, started)
  }

  static func < (left: CallRank, right: CallRank) -> Bool {
    left.value == right.value ? left.started < right.started : left.value < right.value
  }
}

/// The moments at which the calls of the least ranks started.
private struct FirstCalls {
  private let count: Int
  private let place: CallRank?
  private var items: [(rank: CallRank, startedNs: Int)] = []
  /// Like the place, or like the last one: they are told apart by who knows their keys.
  private var alike: Set<Int> = []
  /// The rank of the last call that is wanted, once there are enough.
  private(set) var last: CallRank?
  /// Some were left out.
  private(set) var isCut = false

  init(_ count: Int, after place: CallRank?) {
    self.count = max(1, count)
    self.place = place
  }

  mutating func add(_ rank: CallRank, _ startedNs: Int) {
    if let last, !(rank < last) {
      // One of the same rank is found by its moment, which is there.
      isCut = isCut || last < rank
      return
    }
    if let place {
      if rank < place { return }
      if rank == place {
        alike.insert(startedNs)
        return
      }
    }
    items.append((rank, startedNs))
    if items.count >= 4 * count { settle() }
  }

  /// Leaves out what is not wanted any more.
  mutating func settle() {
    guard items.count > count else { return }
    items.sort { $0.rank < $1.rank }
    let last = items[count - 1].rank
    isCut = isCut || items[count...].contains { last < $0.rank }
    items.removeSubrange(count...)
    self.last = last
  }

  var startedNs: Set<Int> { alike.union(items.map(\.startedNs)) }
}
