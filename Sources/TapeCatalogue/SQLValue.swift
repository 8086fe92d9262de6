internal import GRDB

/// One value that goes into or comes out of SQL.
package enum SQLValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)

  package init(_ text: String?) { self = text.map(SQLValue.text) ?? .null }
  package init(_ integer: Int?) { self = integer.map { .integer(Int64($0)) } ?? .null }
  package init(_ integer: Int64?) { self = integer.map(SQLValue.integer) ?? .null }
  package init(_ flag: Bool) { self = .integer(flag ? 1 : 0) }
}

extension SQLValue {
  var databaseValue: DatabaseValue {
    switch self {
    case .null: .null
    case .integer(let value): value.databaseValue
    case .real(let value): value.databaseValue
    case .text(let value): value.databaseValue
    }
  }

  init(_ value: DatabaseValue) {
    switch value.storage {
    case .null: self = .null
    case .int64(let value): self = .integer(value)
    case .double(let value): self = .real(value)
    case .string(let value): self = .text(value)
    case .blob(let value): self = .text(String(decoding: value, as: UTF8.self))  // no column holds blobs
    }
  }
}

extension [SQLValue] {
  var arguments: StatementArguments { StatementArguments(map { $0.databaseValue }) }
}

/// One row of a result; columns by position. Valid only inside the closure that got it.
package struct SQLRow {
  let row: Row

  package var count: Int { row.count }
  package var columnNames: [String] { Array(row.columnNames) }
  package subscript(_ column: Int) -> SQLValue { SQLValue(row[column] as DatabaseValue) }
  /// nil for NULL.
  package func text(_ column: Int) -> String? { row[column] }
  /// nil for NULL.
  package func integer(_ column: Int) -> Int? { row[column] }
  package func real(_ column: Int) -> Double? { row[column] }
  package func flag(_ column: Int) -> Bool { row[column] as Int? == 1 }
}
