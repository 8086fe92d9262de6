package import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapePricing
package import TapeTypes

/// Answers from the catalogue, and from the archive where frames are wanted. Writes nothing.
package final class QueryEngine: Sendable {
  package let store: Store
  private let priceSource: StorePrices
  let catalogue: CatalogueReader
  let archive: ArchiveReader

  /// - Parameter prices: other ones than the store's.
  /// - Throws: `TapeError` `.catalogueMissing` or `.catalogueStale`, naming the command that helps.
  package init(store: Store, prices: PriceTable? = nil) throws {
    self.store = store
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

  func select(
    _ columns: String, _ filter: CallFilter, _ sort: CallSort, _ limit: Int?, _ body: (SQLRow) throws -> Void
  ) throws {
    let condition = FilterSQL(filter, hidesMocks: false)
    let sql =
      "SELECT \(columns) FROM calls c\(condition.clause) ORDER BY \(sort.sql)"
      + (limit.map { " LIMIT \(max(0, $0))" } ?? "")
    try catalogue.snapshot { snapshot in
      try check(filter, in: snapshot)
      try snapshot.query(sql, condition.arguments, body)
    }
  }

  /// Tells a mistake in `--where` from a damaged catalogue.
  func check(_ filter: CallFilter, in snapshot: CatalogueSnapshot) throws {
    guard let condition = filter.whereSQL else { return }
    if let mistake = snapshot.mistake(inCondition: condition) {
      throw TapeError(.usage, "--where is no condition over v_calls: \(mistake)")
    }
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

/// The order of a list of calls.
package enum CallSort: String, Sendable, CaseIterable {
  case newest, oldest, longest, tokens, ttft

  var sql: String {
    let newest = "c.started_ns DESC, c.call_key DESC"
    return switch self {
    case .newest: newest
    case .oldest: "c.started_ns, c.call_key"
    case .longest: "c.duration_ns DESC NULLS LAST, \(newest)"
    case .tokens: "c.total_tokens DESC NULLS LAST, \(newest)"
    case .ttft: "c.first_content_ns DESC NULLS LAST, \(newest)"
    }
  }
}
