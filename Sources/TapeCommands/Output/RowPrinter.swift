internal import TapeJSON

/// Prints rows of JSON in any of the formats. The table shows the columns that people want,
/// the other formats carry everything.
struct RowPrinter {
  var format: OutputFormat
  var columns: [Column]
  /// The columns of CSV, nested members with dots; nil takes what the rows have. Given, they do not depend on the data.
  var csvColumns: [String]?
  /// Whether a table starts with the names of its columns.
  var hasTitles = true

  /// Rows that are made when they are asked for are not all held, but for a table, which has widths.
  ///
  /// - Parameter before: how the rows before were laid out, where they are of the same table.
  /// - Returns: how these are.
  @discardableResult
  func print(_ rows: some Collection<JSONValue>, before: TableLayout? = nil) -> TableLayout? {
    switch format {
    case .json, .ndjson:
      var writer = RowWriter(self)
      for row in rows { writer.write(row) }
      writer.finish()
    case .csv: printCSV(rows)
    case .markdown: printMarkdown(rows)
    case .table: return printTable(Array(rows), before)
    }
    return nil
  }

  // MARK: - Table

  private func printTable(_ rows: [JSONValue], _ before: TableLayout?) -> TableLayout? {
    guard !rows.isEmpty else { return before }
    let cells = rows.map { row in columns.map { TerminalText.escaped($0.text(row)) } }
    let needed = columns.indices.map { index -> Int? in
      if before == nil, columns[index].hidesWhenEmpty, cells.allSatisfy({ ["–", "0"].contains($0[index]) }) {
        return nil
      }
      return cells.reduce(TerminalText.width(columns[index].title)) { max($0, TerminalText.width($1[index])) }
    }
    let layout =
      before?.widened(columns, needed: needed)
      ?? TableLayout(columns, needed: needed, terminal: StandardOutput.columns)
    let titles = line(columns.map(\.title), layout)
    let isBold = StandardOutput.usesColour
    if hasTitles { StandardOutput.write((isBold ? "\u{1B}[1m\(titles)\u{1B}[0m" : titles) + "\n") }
    for row in cells { StandardOutput.write(line(row, layout) + "\n") }
    if before == nil, !layout.leftOut.isEmpty {
      StandardOutput.noteAtEnd(
        "tapedeck: no room for \(layout.leftOut.joined(separator: ", ")); --format markdown has all")
    }
    return layout
  }

  private func line(_ cells: [String], _ layout: TableLayout) -> String {
    let fitted = zip(layout.shown, layout.widths).map { index, width in
      let cell = columns[index].least == nil ? cells[index] : TerminalText.truncated(cells[index], to: width)
      return TerminalText.padded(cell, to: width, right: columns[index].right)
    }
    var line = fitted.joined(separator: "  ")
    while line.hasSuffix(" ") { line.removeLast() }
    return line
  }

  // MARK: - Markdown

  private func printMarkdown(_ rows: some Collection<JSONValue>) {
    func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    if hasTitles {
      StandardOutput.write(row(columns.map(\.title)))
      StandardOutput.write(row(columns.map { $0.right ? "---:" : "---" }))
    }
    for value in rows {
      StandardOutput.write(
        row(columns.map { Self.markdownCell(TerminalText.escaped($0.text(value))) }))
    }
  }

  static func markdownCell(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }

  // MARK: - CSV (RFC 4180), nested members as dotted columns

  private func printCSV(_ rows: some Collection<JSONValue>) {
    let names = csvColumns ?? Self.names(rows.map(Self.fields))
    guard !names.isEmpty else { return }
    // Members of a request are names too.
    func shown(_ text: String) -> String { StandardOutput.isTerminal ? TerminalText.escaped(text) : text }
    if hasTitles { StandardOutput.write(names.map { Self.csvField(shown($0)) }.joined(separator: ",") + "\r\n") }
    for row in rows {
      let values = Dictionary(Self.fields(row), uniquingKeysWith: { $1 })
      StandardOutput.write(names.map { Self.csvField(shown(values[$0] ?? "")) }.joined(separator: ",") + "\r\n")
    }
  }

  private static func names(_ rows: [[(String, String)]]) -> [String] {
    var names: [String] = []
    var seen = Set<String>()
    for fields in rows {
      for (name, _) in fields where seen.insert(name).inserted { names.append(name) }
    }
    // A member that is null in one row and an object in another shows as the object's columns.
    return names.filter { name in !names.contains { $0.hasPrefix(name + ".") } }
  }

  private static func fields(_ row: JSONValue) -> [(String, String)] {
    var fields: [(String, String)] = []
    flatten(row, prefix: "", into: &fields)
    return fields
  }

  private static func flatten(_ value: JSONValue, prefix: String, into fields: inout [(String, String)]) {
    switch value {
    case .object(let members) where !members.isEmpty:
      for member in members {
        flatten(member.value, prefix: prefix.isEmpty ? member.key : "\(prefix).\(member.key)", into: &fields)
      }
    case .null: fields.append((prefix, ""))
    case .string(let text): fields.append((prefix, text))
    case .bool(let flag): fields.append((prefix, flag ? "true" : "false"))
    default: fields.append((prefix, value.compactString))
    }
  }

  private static func csvField(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) else { return text }
    var out = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" { out += "\"" }
      out.unicodeScalars.append(scalar)
    }
    return out + "\""
  }
}
