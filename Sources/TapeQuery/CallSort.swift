internal import TapeCatalogue

/// The order of a list of calls. It is total: calls that are alike in what is sorted by are in the order of their start,
/// so that a list goes on where another one ended whatever was recorded meanwhile.
package enum CallSort: String, Sendable, CaseIterable {
  case newest, oldest, longest, tokens, ttft

  /// What is sorted by before the start, the largest first; nil for nothing.
  var column: String? {
    switch self {
    case .newest, .oldest: nil
    case .longest: "c.duration_ns"
    case .tokens: "c.total_tokens"
    case .ttft: "c.first_content_ns"
    }
  }

  var sql: String {
    let newest = "c.started_ns DESC, c.call_key DESC"
    if self == .oldest { return "c.started_ns, c.call_key" }
    return column.map { "\($0) DESC NULLS LAST, \(newest)" } ?? newest
  }
}

/// Where a call stands in a list.
package struct CallPlace: Sendable, Equatable {
  let key: Int
  let startedNs: Int
  /// What the list is sorted by.
  let value: Int?

  /// What is selected to read a place.
  static func columns(_ sort: CallSort) -> String { "c.call_key, c.started_ns, \(sort.column ?? "NULL")" }

  static let columnCount = 3

  init?(_ row: SQLRow) {
    guard let key = row.integer(0), let started = row.integer(1) else { return nil }
    self.key = key
    startedNs = started
    value = row.integer(2)
  }
}
