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

  /// The same as a fact of usage.
  var fact: UsageRow.Number? {
    switch self {
    case .newest, .oldest: nil
    case .longest: .duration
    case .tokens: .total
    case .ttft: .firstContent
    }
  }
}

/// A list in the order of `sort`, or the same from its end.
struct CallOrder: Sendable, Equatable {
  let sort: CallSort
  /// Never for one by time: that is another sort.
  let isBackwards: Bool

  init(_ sort: CallSort, backwards: Bool = false) {
    switch sort {
    case .newest where backwards: (self.sort, isBackwards) = (.oldest, false)
    case .oldest where backwards: (self.sort, isBackwards) = (.newest, false)
    default: (self.sort, isBackwards) = (sort, backwards)
    }
  }

  var sql: String {
    let (newest, oldest) = ("c.started_ns DESC, c.call_key DESC", "c.started_ns, c.call_key")
    guard let column = sort.column else { return sort == .oldest ? oldest : newest }
    return isBackwards ? "\(column) NULLS FIRST, \(oldest)" : "\(column) DESC NULLS LAST, \(newest)"
  }

  /// Only calls behind a place.
  func behind(_ place: CallPlace) -> (sql: String, arguments: [SQLValue]) {
    let isRising = sort == .oldest || isBackwards
    let later = "(c.started_ns, c.call_key) \(isRising ? ">" : "<") (?, ?)"
    let moment: [SQLValue] = [.integer(Int64(place.startedNs)), .integer(Int64(place.key))]
    guard let column = sort.column else { return (later, moment) }
    // Unknown values are last, and so first from the end.
    guard let value = place.value.map({ SQLValue.integer(Int64($0)) }) else {
      return ("(\(column) IS \(isBackwards ? "NOT NULL OR" : "NULL AND") \(later))", moment)
    }
    return isBackwards
      ? ("(\(column) > ? OR \(column) = ? AND \(later))", [value, value] + moment)
      : ("(\(column) < ? OR \(column) IS NULL OR \(column) = ? AND \(later))", [value, value] + moment)
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
