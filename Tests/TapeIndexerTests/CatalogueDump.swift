import TapeCatalogue
import TapeTypes

/// Everything a catalogue says: each table and view with its rows, full text by what it finds, usage by call. Lists of
/// lines, so that a difference shows.
func dump(_ path: String, without hidden: Set<String> = []) throws -> [String] {
  let reader = try CatalogueReader(path: path)
  return try reader.snapshot { snapshot in
    var tables: [String] = []
    let names =
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'call_fts%' "
      + "AND name NOT LIKE 'usage_%' ORDER BY name"
    try snapshot.query(names) { tables.append($0.text(0) ?? "") }
    var lines: [String] = []
    for table in tables where !hidden.contains(table) {
      var rows: [String] = []
      try snapshot.query("SELECT * FROM \(table)") { row in
        let columns = zip(row.columnNames, 0..<row.count).filter { !hidden.contains($0.0) }
        rows.append("\(table): " + columns.map { "\($0.0)=\(row[$0.1])" }.joined(separator: " "))
      }
      lines += rows.sorted()
    }
    for word in ["hel", "lo", "weather", "数", "refund", "utrecht", "question", "hello", "policy", "tool1", "part"] {
      var found: [String] = []
      try snapshot.query(
        "SELECT call_id FROM calls WHERE call_key IN (SELECT rowid FROM call_fts WHERE call_fts MATCH ?) ORDER BY 1",
        [.text("\"\(word)\"")]
      ) { found.append($0.text(0) ?? "") }
      lines.append("full text \(word): \(found)")
    }
    return try lines + usage(snapshot)
  }
}

/// The usage facts of each call, wherever they lie.
private func usage(_ snapshot: CatalogueSnapshot) throws -> [String] {
  var lines: [String] = []
  try snapshot.usageBlocks(from: nil, to: nil, names: Set(UsageRow.Name.allCases)) { block in
    for call in 0..<block.count {
      let names = UsageRow.Name.allCases.map { name in
        let place = block.places(name)[call]
        return place == UsageBlock.none ? "-" : block.texts[name.rawValue][place]
      }
      lines.append("usage: \(UsageRow.Number.allCases.map { block.numbers($0)[call] }) \(names)")
    }
  }
  return lines.sorted()
}

extension UsageBlock {
  /// Each call's place in the texts of a name column.
  func places(_ name: UsageRow.Name) -> [Int] {
    var places: [Int] = []
    withColumns { places = Array(UnsafeBufferPointer(start: $0[name], count: count)) }
    return places
  }

  /// What a number column has of each call.
  func numbers(_ number: UsageRow.Number) -> [Int] {
    var numbers: [Int] = []
    withColumns { numbers = Array(UnsafeBufferPointer(start: $0[number], count: count)) }
    return numbers
  }
}

/// The lines that only one of two dumps has.
func difference(_ left: [String], _ right: [String]) -> [String] {
  let (a, b) = (Set(left), Set(right))
  return a.subtracting(b).sorted().map { "- \($0)" } + b.subtracting(a).sorted().map { "+ \($0)" }
}

/// Values of one query, each row as text.
func rows(_ path: String, _ sql: String, _ arguments: [SQLValue] = []) throws -> [[SQLValue]] {
  var rows: [[SQLValue]] = []
  try CatalogueReader(path: path).query(sql, arguments) { row in rows.append((0..<row.count).map { row[$0] }) }
  return rows
}
