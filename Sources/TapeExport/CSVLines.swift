package import TapeJSON

/// Objects as lines of CSV (RFC 4180): members of members as dotted columns, lists as JSON.
package struct CSVLines {
  private let places: [String: Int]
  private let columns: [String]
  /// Columns whose value is one cell of JSON, also where it is an object.
  private let whole: Set<String>

  /// - Parameter whole: columns behind `columns` that are JSON as a whole.
  package init(columns: [String], whole: [String]) {
    self.columns = columns + whole
    self.whole = Set(whole)
    places = Dictionary(self.columns.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The names of the columns, with CRLF.
  package var header: [UInt8] { Self.line(columns) }

  /// One object, with CRLF.
  package func line(_ row: JSONValue) -> [UInt8] {
    var cells = [String](repeating: "", count: columns.count)
    fill(&cells, row, name: "")
    return Self.line(cells)
  }

  private func fill(_ cells: inout [String], _ value: JSONValue, name: String) {
    if case .object(let members) = value, !whole.contains(name) {
      for member in members { fill(&cells, member.value, name: name.isEmpty ? member.key : "\(name).\(member.key)") }
    } else if let place = places[name] {
      cells[place] =
        switch value {
        case .null: ""
        case .string(let text): text
        case .bool, .number, .array, .object: value.compactString
        }
    }
  }

  private static func line(_ cells: [String]) -> [UInt8] {
    var line: [UInt8] = []
    for (index, cell) in cells.enumerated() {
      if index > 0 { line.append(0x2C) }
      append(cell, to: &line)
    }
    return line + [0x0D, 0x0A]
  }

  private static func append(_ cell: String, to line: inout [UInt8]) {
    guard cell.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) else {
      line.append(contentsOf: cell.utf8)
      return
    }
    line.append(0x22)
    for byte in cell.utf8 {
      if byte == 0x22 { line.append(0x22) }
      line.append(byte)
    }
    line.append(0x22)
  }
}
