internal import TapeCatalogue
internal import TapeTypes

/// A filter as a condition over `calls c`.
struct FilterSQL {
  /// What stands behind FROM.
  private(set) var source = "calls c"
  private(set) var conditions: [String] = []
  private(set) var arguments: [SQLValue] = []
  /// Where the calls are that tags and words are looked up for.
  private let keys: ClosedRange<Int64>?

  /// - Parameters:
  ///   - hidesMocks: what `MockFilter.byDefault` means here.
  ///   - sums: rows of erased calls whose usage was kept count; they are in no list.
  ///   - identityID: the only identity that the filter's means, if that is known.
  ///   - keys: only calls with these are meant.
  init(
    _ filter: CallFilter, hidesMocks: Bool, sums: Bool = false, identityID: String? = nil,
    keys: ClosedRange<Int64>? = nil
  ) {
    self.keys = keys
    if !sums { add("c.erased_ns IS NULL") }
    addNames(filter)
    if let identityID { addEqual("identity_id", identityID) } else { addIdentity(filter.identity) }
    for tag in filter.identityTags { add(tag: tag, kind: "identity") }
    addGeneration(filter)
    addTimes(filter)
    for pair in filter.metadata { add(metadata: pair) }
    for text in [filter.text, filter.phrase] { if let text { add(text: text) } }
    if filter.mock == .exclude || filter.mock == .byDefault && hidesMocks { add("c.mock = 0") }
    if let condition = filter.condition {
      // On lines of its own, so that a trailing comment ends there. SQLite makes one loop over `calls` of this.
      source = "(SELECT * FROM v_calls WHERE (\n\(condition.sql)\n)) c"
    }
  }

  /// ` WHERE …`, or nothing.
  var clause: String { conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ") }

  /// The statement of a list.
  func selection(_ columns: String, _ order: CallOrder, _ limit: Int?) -> String {
    let bound = limit.map { " LIMIT \(max(0, $0))" } ?? ""
    return "SELECT \(columns) FROM \(source)\(clause) ORDER BY \(order.sql)\(bound)"
  }

  private mutating func add(_ condition: String, _ values: SQLValue...) {
    conditions.append(condition)
    arguments += values
  }

  /// Only calls up to a place in the order of their start.
  mutating func add(_ order: CallOrder, upTo place: CallPlace) {
    add(
      "(c.started_ns, c.call_key) \(order.sort == .oldest ? "<=" : ">=") (?, ?)", .integer(Int64(place.startedNs)),
      .integer(Int64(place.key)))
  }

  /// Only calls behind a place.
  mutating func add(_ order: CallOrder, after place: CallPlace) {
    let behind = order.behind(place)
    conditions.append(behind.sql)
    arguments += behind.arguments
  }

  /// Only calls that started at one of these moments. They are looked up by them: no other index is of use then.
  mutating func add(startedAt moments: Set<Int>) {
    source = "calls c NOT INDEXED"
    add(
      """
      c.call_key IN (SELECT s.call_key FROM calls s INDEXED BY calls_by_start
        WHERE s.started_ns IN (SELECT value FROM json_each(?)))
      """, .text("[\(moments.map(String.init).joined(separator: ","))]"))
  }

  private mutating func addEqual(_ column: String, _ value: String?) {
    if let value { add("c.\(column) = ?", .text(value)) }
  }

  private mutating func addNames(_ filter: CallFilter) {
    if let trace = filter.trace {
      // Trace ids of the W3C are lower case; ids of other kinds are compared as given.
      let lower = SQLValue.text(trace.lowercased())
      add("(c.trace_id IN (?, ?) OR c.traceparent_trace_id = ?)", .text(trace), lower, lower)
    }
    if let span = filter.span { add("c.span_id IN (?, ?)", .text(span), .text(span.lowercased())) }
    addEqual("thread_id", filter.thread)
    for tag in filter.tags { add(tag: tag, kind: "thread") }
  }

  private mutating func addIdentity(_ identity: String?) {
    guard let identity else { return }
    conditions.append(IdentityCondition.sql("c."))
    arguments += Array(repeating: .text(identity), count: IdentityCondition.arguments)
  }

  /// Those that `selection` finds by their keys, in `column`.
  private mutating func add(keysOf selection: String, _ column: String, _ values: SQLValue...) {
    let bounds = keys == nil ? "" : " AND \(column) BETWEEN ? AND ?"
    conditions.append("c.call_key IN (\(selection)\(bounds))")
    arguments += values
    if let keys { arguments += [.integer(keys.lowerBound), .integer(keys.upperBound)] }
  }

  private mutating func add(tag: String, kind: String) {
    add(keysOf: "SELECT call_key FROM call_tags WHERE kind = '\(kind)' AND tag = ?", "call_key", .text(tag))
  }

  private mutating func addGeneration(_ filter: CallFilter) {
    addEqual("deployment", filter.deployment)
    addEqual("model", filter.model)
    addEqual("provider", filter.provider)
    addEqual("state", filter.state?.rawValue)
    // Said again as the index of what did not go well has it, so that it is used.
    if let state = filter.state, state != .done { add("c.state <> 'done'") }
  }

  private mutating func addTimes(_ filter: CallFilter) {
    if let from = filter.from { add("c.started_ns >= ?", .integer(from)) }
    if let to = filter.to { add("c.started_ns < ?", .integer(to)) }
    if let duration = filter.minDurationNs { add("c.duration_ns >= ?", .integer(duration)) }
  }

  private mutating func add(metadata pair: MetadataFilter) {
    add("\(Self.metadataText) = ?", .text(pair.key), .text(pair.value))
  }

  /// The member of `c.metadata` with the key bound next, as text: true, false and null as JSON writes them. Of
  /// several members with the key the last one counts.
  static let metadataText = """
    (SELECT CASE m.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' \
    ELSE CAST(m.value AS TEXT) END FROM json_each(c.metadata) m WHERE m.key = ? ORDER BY m.id DESC LIMIT 1)
    """

  private mutating func add(text: String) {
    guard let query = FullText.query(phrase: text) else {
      // Nothing that a full-text index knows, such as `***`: compare the texts.
      let value = SQLValue.text(text)
      add(
        keysOf: "SELECT call_key FROM call_text WHERE (instr(prompt, ?) OR instr(completion, ?))", "call_key", value,
        value)
      return
    }
    add(keysOf: "SELECT rowid FROM call_fts WHERE call_fts MATCH ?", "rowid", .text(query))
  }
}
