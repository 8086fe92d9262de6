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
  let catalogue: CatalogueReader
  let archive: ArchiveReader

  /// - Parameters:
  ///   - prices: other ones than the store's.
  ///   - mostSteps: how many steps of SQLite's machine a `--where` may take to find a call.
  /// - Throws: `TapeError` `.catalogueMissing` or `.catalogueStale`, naming the command that helps.
  package init(store: Store, prices: PriceTable? = nil, mostSteps: Int = 1_000_000_000) throws {
    self.store = store
    self.mostSteps = mostSteps
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
    try select(CallEntry.columns, filter, sort, limit) { row in
      if let entry = CallEntry(row) { entries.append(entry) }
    }
    return entries
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

  /// - Parameter after: only those behind this call in the order of `sort`.
  func select(
    _ columns: String, _ filter: CallFilter, _ sort: CallSort, after: CallPlace? = nil, _ limit: Int?,
    _ body: (SQLRow) throws -> Void
  ) throws {
    var condition = FilterSQL(filter, hidesMocks: false)
    if let after { condition.add(sort, after: after) }
    let sql = condition.selection(columns, sort, limit)
    try snapshot(filter) { try $0.query(sql, condition.arguments, body) }
  }

  /// The steps by which SQLite finds the calls of a list, as EXPLAIN QUERY PLAN names them.
  package func plan(_ filter: CallFilter, sort: CallSort) throws -> [String] {
    let condition = FilterSQL(filter, hidesMocks: false)
    return try plan(condition.selection(CallEntry.columns, sort, 50), condition.arguments)
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

  /// Reads a row of `columns`.
  init?(_ row: SQLRow) {
    guard let id = row.text(0).flatMap({ CallID($0) }), let file = row.text(1), let offset = row.integer(2),
      let started = row.integer(4)
    else { return nil }
    self.init(
      id: id, location: CallLocation(file: file, offset: offset),
      state: row.text(3).flatMap { CallState(rawValue: $0) } ?? .lost, startedAtNs: Int64(started))
  }

  init(id: CallID, location: CallLocation, state: CallState, startedAtNs: Int64) {
    self.id = id
    self.location = location
    self.state = state
    self.startedAtNs = startedAtNs
  }
}
