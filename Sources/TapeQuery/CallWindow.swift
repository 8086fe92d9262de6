internal import TapeCatalogue

/// Calls that follow each other by their start, and what their keys lie between. A tag or a word that many calls have is
/// looked up for one such stretch after the other, until the list is full: not for all calls first.
struct CallWindow {
  /// The keys of the calls; there may be others between them.
  let keys: ClosedRange<Int64>
  /// The last call of the stretch; nil when nothing is behind it.
  let last: CallPlace?

  /// - Parameters:
  ///   - size: how many calls.
  ///   - from, to: of the filter, in ns since 1970.
  ///   - place: what the stretch begins behind; nil for the first call.
  init?(
    _ size: Int, in snapshot: CatalogueSnapshot, _ order: CallOrder, from: Int64?, to: Int64?, behind place: CallPlace?
  ) throws {
    var conditions = ["1"]
    var arguments: [SQLValue] = []
    if let from {
      conditions.append("c.started_ns >= ?")
      arguments.append(.integer(from))
    }
    if let to {
      conditions.append("c.started_ns < ?")
      arguments.append(.integer(to))
    }
    if let place {
      let behind = order.behind(place)
      conditions.append(behind.sql)
      arguments += behind.arguments
    }
    let calls =
      "FROM calls c INDEXED BY calls_by_start WHERE \(conditions.joined(separator: " AND ")) ORDER BY \(order.sql)"
    var keys: ClosedRange<Int64>?
    let range = "SELECT min(k), max(k) FROM (SELECT c.call_key AS k \(calls) LIMIT \(size))"
    try snapshot.query(range, arguments) { row in
      if let low = row.integer(0), let high = row.integer(1) { keys = Int64(low)...Int64(high) }
    }
    guard let keys else { return nil }
    self.keys = keys
    var last: CallPlace?
    try snapshot.query("SELECT \(CallPlace.columns(order.sort)) \(calls) LIMIT 1 OFFSET \(size - 1)", arguments) {
      row in
      last = CallPlace(row)
    }
    self.last = last
  }
}

extension CallFilter {
  /// What is looked up in a table of its own, where many calls may have it: a selection of their keys each.
  var lookUps: [(sql: String, arguments: [SQLValue])] {
    let tags = [(tags, "thread"), (identityTags, "identity")].flatMap { tags, kind in
      tags.map { ("SELECT 1 FROM call_tags WHERE kind = '\(kind)' AND tag = ?", [SQLValue.text($0)]) }
    }
    let texts = [text, phrase].compactMap { $0 }.map { text -> (sql: String, arguments: [SQLValue]) in
      // Without a word in it every text has to be looked at.
      guard let query = FullText.query(phrase: text) else { return ("SELECT 1 FROM calls", []) }
      return ("SELECT 1 FROM call_fts WHERE call_fts MATCH ?", [.text(query)])
    }
    return tags + texts
  }
}
