package import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapePricing
package import TapeTypes

/// Answers from the catalogue, and from the archive where frames are wanted. Writes nothing.
package final class QueryEngine: Sendable {
  package let store: Store
  private let priceSource: StorePrices
  /// Of a condition that somebody wrote, without a call found: some ten seconds.
  private let mostSteps: Int
  /// Of so many calls a list is made at first, where more than half as many have a tag or a word.
  private let window: Int
  let catalogue: CatalogueReader
  let archive: ArchiveReader

  /// - Parameters:
  ///   - prices: other ones than the store's.
  ///   - mostSteps: how many steps of SQLite's machine a `--where` may take to find a call.
  ///   - window: of how many calls a list is made at first, where more than half as many have a tag or a word.
  /// - Throws: `TapeError` `.catalogueMissing` or `.catalogueStale`, naming the command that helps.
  package init(
    store: Store, prices: PriceTable? = nil, mostSteps: Int = 1_000_000_000, window: Int = 4_096
  ) throws {
    self.store = store
    self.mostSteps = mostSteps
    self.window = window
    priceSource = StorePrices(store, table: prices)
    catalogue = try CatalogueReader(path: store.cataloguePath)
    archive = ArchiveReader(store: store)
  }

  /// What figures are made with.
  ///
  /// - Throws: `TapeError.failed` if the store has prices that cannot be used.
  package var prices: PriceTable { get throws { try priceSource.table() } }

  /// The calls that a filter lets through.
  package func entries(_ filter: CallFilter, sort: CallSort = .newest, limit: Int? = nil) throws -> [CallEntry] {
    var entries: [CallEntry] = []
    try select(CallEntry.columns, filter, CallOrder(sort), limit) { row in
      if let entry = CallEntry(row) { entries.append(entry) }
    }
    return entries
  }

  /// How many calls a filter lets through.
  ///
  /// - Parameter most: more are not counted.
  package func count(_ filter: CallFilter, most: Int) throws -> Int {
    try snapshot(filter) { snapshot in
      let condition = FilterSQL(filter, hidesMocks: false, identityID: try identityID(filter, snapshot))
      let calls = "SELECT 1 FROM \(condition.source)\(condition.clause) LIMIT \(most)"
      return try snapshot.integer("SELECT count(*) FROM (\(calls))", condition.arguments) ?? 0
    }
  }

  /// The call as it is on tape.
  package func recorded(_ entry: CallEntry) throws -> RecordedCall {
    try archive.call(at: entry.location, id: entry.id)
  }

  /// What of a call is missing on tape, as a sentence; nil if nothing is. Whoever hands the call out says it.
  package func damage(of call: RecordedCall) -> String? { integrityProblem(of: call) }

  /// The display names of identities as their latest calls that gave one have it.
  package func identityNames(_ ids: some Sequence<String>) throws -> [String: String] {
    let sql = """
      SELECT identity_name FROM calls WHERE identity_id = ? AND identity_name IS NOT NULL
      ORDER BY started_ns DESC, call_key DESC LIMIT 1
      """
    return try catalogue.snapshot { snapshot in
      var names: [String: String] = [:]
      for id in ids { try snapshot.query(sql, [.text(id)]) { names[id] = $0.text(0) } }
      return names
    }
  }

  /// - Parameter after: only those behind this call in `order`.
  func select(
    _ columns: String, _ filter: CallFilter, _ order: CallOrder, after: CallPlace? = nil, _ limit: Int?,
    _ body: (SQLRow) throws -> Void
  ) throws {
    try snapshot(filter) { snapshot in
      if let limit, let candidates = CallCandidates(filter, order, after: after, limit: limit) {
        return try selectByMoments(columns, candidates, filter, order, after, limit, snapshot, body)
      }
      let identityID = try identityID(filter, snapshot)
      if let limit, order.sort.column == nil, try hasCommonLookUp(filter, snapshot) {
        return try selectByWindows(columns, filter, order, after, limit, identityID, snapshot, body)
      }
      var condition = FilterSQL(filter, hidesMocks: false, identityID: identityID)
      if let after { condition.add(order, after: after) }
      try snapshot.query(condition.selection(columns, order, limit), condition.arguments, body)
    }
  }

  /// The same by the moments at which the first calls of the list started.
  private func selectByMoments(
    _ columns: String, _ candidates: CallCandidates, _ filter: CallFilter, _ order: CallOrder, _ after: CallPlace?,
    _ limit: Int, _ snapshot: CatalogueSnapshot, _ body: (SQLRow) throws -> Void
  ) throws {
    var count = max(1, limit)
    while true {
      let found = try candidates.find(count, in: snapshot)
      var condition = FilterSQL(filter, hidesMocks: false)
      if let after { condition.add(order, after: after) }
      condition.add(startedAt: found.startedNs)
      var keys: [Int64] = []
      try snapshot.query(condition.selection("c.call_key", order, limit), condition.arguments) { row in
        if let key = row.integer(0) { keys.append(Int64(key)) }
      }
      if keys.count == limit || found.isAll {
        for key in keys {
          try snapshot.query("SELECT \(columns) FROM calls c WHERE c.call_key = ?", [.integer(key)], body)
        }
        return
      }
      // Some of them were erased, and are in no list.
      count *= 4
    }
  }

  /// The same in the order of the start, stretch by stretch: each asks only for what is still wanted.
  private func selectByWindows(
    _ columns: String, _ filter: CallFilter, _ order: CallOrder, _ after: CallPlace?, _ limit: Int,
    _ identityID: String?, _ snapshot: CatalogueSnapshot, _ body: (SQLRow) throws -> Void
  ) throws {
    var place = after
    var left = limit
    var size = window
    while left > 0,
      let window = try CallWindow(size, in: snapshot, order, from: filter.from, to: filter.to, behind: place)
    {
      var condition = FilterSQL(filter, hidesMocks: false, identityID: identityID, keys: window.keys)
      if let place { condition.add(order, after: place) }
      if let last = window.last { condition.add(order, upTo: last) }
      try snapshot.query(condition.selection(columns, order, left), condition.arguments) { row in
        left -= 1
        try body(row)
      }
      guard window.last != nil else { return }
      place = window.last
      // Those that are further away are larger, so that they are few.
      size = min(size * 4, 1 << 20)
    }
  }

  /// Whether all calls that have what is looked up are too many to be sorted for a page of them.
  private func hasCommonLookUp(_ filter: CallFilter, _ snapshot: CatalogueSnapshot) throws -> Bool {
    let lookUps = filter.lookUps
    return try !lookUps.isEmpty
      && lookUps.allSatisfy { lookUp in
        let sql = "SELECT count(*) FROM (\(lookUp.sql) LIMIT \(window / 2 + 1))"
        return try snapshot.integer(sql, lookUp.arguments) ?? 0 > window / 2
      }
  }

  /// The only identity id that the filter's identity means, so that its calls are found in their order; nil where it means
  /// several, or calls without one.
  private func identityID(_ filter: CallFilter, _ snapshot: CatalogueSnapshot) throws -> String? {
    guard let identity = filter.identity else { return nil }
    var ids: Set<String?> = []
    let emails = "SELECT DISTINCT identity_id FROM calls WHERE identity_email = ? COLLATE NOCASE LIMIT 3"
    try snapshot.query(emails, [.text(identity)]) { ids.insert($0.text(0)) }
    let isID = "SELECT count(*) FROM (SELECT 1 FROM calls WHERE identity_id = ? LIMIT 1)"
    if try snapshot.integer(isID, [.text(identity)]) == 1 || ids.isEmpty { ids.insert(identity) }
    return ids.count == 1 ? ids.first ?? nil : nil
  }

  /// The steps by which SQLite finds the calls of a list, as EXPLAIN QUERY PLAN names them.
  package func plan(_ filter: CallFilter, sort: CallSort) throws -> [String] {
    let condition = try catalogue.snapshot { snapshot in
      FilterSQL(filter, hidesMocks: false, identityID: try identityID(filter, snapshot))
    }
    return try plan(condition.selection(CallEntry.columns, CallOrder(sort), 50), condition.arguments)
  }

  func plan(_ sql: String, _ arguments: [SQLValue]) throws -> [String] {
    var steps: [String] = []
    try catalogue.query("EXPLAIN QUERY PLAN " + sql, arguments) { steps.append($0.text(3) ?? "") }
    return steps
  }

  /// One state of the catalogue, to ask for the calls of a filter.
  ///
  /// - Throws: `TapeError` `.failed` for a `--where` that goes on without finding any.
  func snapshot<Result>(_ filter: CallFilter, _ body: (CatalogueSnapshot) throws -> Result) throws -> Result {
    try catalogue.snapshot(steps: filter.condition == nil ? nil : mostSteps, body)
  }
}

/// A call that was found: its id, where it lies, and how it is doing.
package struct CallEntry: Sendable, Equatable {
  package let id: CallID
  package let location: CallLocation
  package let state: CallState
  /// ns since 1970.
  package let startedAtNs: Int64

  static let columns = "c.call_id, c.archive_file, c.archive_offset, c.state, c.started_ns"

  /// Reads a row of `columns`, of which the first is at `start`.
  init?(_ row: SQLRow, from start: Int = 0) {
    guard let id = row.text(start).flatMap({ CallID($0) }), let file = row.text(start + 1),
      let offset = row.integer(start + 2), let started = row.integer(start + 4)
    else { return nil }
    self.init(
      id: id, location: CallLocation(file: file, offset: offset),
      state: row.text(start + 3).flatMap { CallState(rawValue: $0) } ?? .lost, startedAtNs: Int64(started))
  }

  init(id: CallID, location: CallLocation, state: CallState, startedAtNs: Int64) {
    self.id = id
    self.location = location
    self.state = state
    self.startedAtNs = startedAtNs
  }
}
