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
  /// - Parameter widths: what the columns of a table are wide at least, as the rows before had it.
  /// - Returns: what they are wide now.
  @discardableResult
  func print(_ rows: some Collection<JSONValue>, widths: [Int] = []) -> [Int] {
    switch format {
    case .json, .ndjson:
      var writer = RowWriter(self)
      for row in rows { writer.write(row) }
      writer.finish()
    case .csv: printCSV(rows)
    case .markdown: printMarkdown(rows)
    case .table: return printTable(Array(rows), widths)
    }
    return widths
  }

  // MARK: - Table

  private func printTable(_ rows: [JSONValue], _ before: [Int]) -> [Int] {
    guard !rows.isEmpty else { return before }
    let columns = columns.filter { column in
      !column.hidesWhenEmpty || rows.contains { !["–", "0"].contains(column.text($0)) }
    }
    let cells = rows.map { row in columns.map { TerminalText.escaped($0.text(row)) } }
    var widths = columns.indices.map { index in
      cells.reduce(max(before.count == columns.count ? before[index] : 0, TerminalText.width(columns[index].title))) {
        max($0, TerminalText.width($1[index]))
      }
    }
    if let flexible = columns.firstIndex(where: \.flexible) {
      let others = widths.indices.filter { $0 != flexible }.reduce(0) { $0 + widths[$1] + 2 }
      let terminal = StandardOutput.columns
      if terminal > 0 { widths[flexible] = min(widths[flexible], max(12, terminal - others)) }
    }
    let bold = StandardOutput.usesColour
    let titles = line(columns.map(\.title), columns, widths)
    if hasTitles { StandardOutput.write((bold ? "\u{1B}[1m\(titles)\u{1B}[0m" : titles) + "\n") }
    for row in cells { StandardOutput.write(line(row, columns, widths) + "\n") }
    return widths
  }

  private func line(_ cells: [String], _ columns: [Column], _ widths: [Int]) -> String {
    var line = ""
    for index in cells.indices {
      if index > 0 { line += "  " }
      let cell = TerminalText.truncated(cells[index], to: widths[index])
      line += TerminalText.padded(cell, to: widths[index], right: columns[index].right)
    }
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
    if hasTitles { StandardOutput.write(names.map(Self.csvField).joined(separator: ",") + "\r\n") }
    for row in rows {
      let values = Dictionary(Self.fields(row), uniquingKeysWith: { $1 })
      let cells = names.map { values[$0] ?? "" }.map { StandardOutput.isTerminal ? TerminalText.escaped($0) : $0 }
      StandardOutput.write(cells.map(Self.csvField).joined(separator: ",") + "\r\n")
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
