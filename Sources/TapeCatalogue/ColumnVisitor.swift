/// What can be done with each column of a row: see `CallRow.visit`.
protocol ColumnVisitor {
  mutating func visit(_ name: String, _ value: inout SQLValue)
}

extension ColumnVisitor {
  mutating func visit(_ name: String, _ value: inout String) {
    var column = SQLValue.text(value)
    visit(name, &column)
    if case .text(let read) = column { value = read }
  }

  mutating func visit(_ name: String, _ value: inout String?) {
    var column = SQLValue(value)
    visit(name, &column)
    if case .text(let read) = column { value = read } else { value = nil }
  }

  mutating func visit(_ name: String, _ value: inout Int64) {
    var column = SQLValue.integer(value)
    visit(name, &column)
    if case .integer(let read) = column { value = read }
  }

  mutating func visit(_ name: String, _ value: inout Int64?) {
    var column = SQLValue(value)
    visit(name, &column)
    if case .integer(let read) = column { value = read } else { value = nil }
  }

  mutating func visit(_ name: String, _ value: inout Int) {
    var wide = Int64(value)
    visit(name, &wide)
    value = Int(wide)
  }

  mutating func visit(_ name: String, _ value: inout Int?) {
    var wide = value.map(Int64.init)
    visit(name, &wide)
    value = wide.map(Int.init)
  }

  mutating func visit(_ name: String, _ value: inout Bool) {
    var wide: Int64 = value ? 1 : 0
    visit(name, &wide)
    value = wide == 1
  }
}

/// Collects the names.
struct ColumnNames: ColumnVisitor {
  var names: [String] = []

  mutating func visit(_ name: String, _ value: inout SQLValue) { names.append(name) }
}

/// Collects the values.
struct ColumnWriter: ColumnVisitor {
  var values: [SQLValue] = []

  init() { values.reserveCapacity(CallRow.columns.count) }

  mutating func visit(_ name: String, _ value: inout SQLValue) { values.append(value) }
}

/// Fills the properties from a result.
struct ColumnReader: ColumnVisitor {
  let row: SQLRow
  var position: Int

  mutating func visit(_ name: String, _ value: inout SQLValue) {
    value = row[position]
    position += 1
  }
}
