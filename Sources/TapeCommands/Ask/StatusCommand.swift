internal import ArgumentParser
internal import TapeArchive
internal import TapeJSON
internal import TapeQuery

/// `tapedeck status`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "The store: sizes, ratio, writers, lag, defects and versions.",
    discussion: "Example: tapedeck status --format json")

  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let value = try StoreStatus.json(of: store.open(.reading))
    switch format.resolved {
    case .json: StandardOutput.write(json: value.pretty)
    case .ndjson: StandardOutput.write(json: value.compact)
    case .csv: RowPrinter(format: .csv, columns: []).print([value])
    case .table:
      Pager.start()
      StandardOutput.write(StatusPage(value).lines.joined(separator: "\n") + "\n")
    case .markdown:
      StandardOutput.write("| | |\n| --- | --- |\n")
      for row in Self.outline(value, prefix: "") {
        StandardOutput.write("| \(row.name) | \(RowPrinter.markdownCell(TerminalText.escaped(row.text))) |\n")
      }
    }
  }

  /// Nested members with dotted names.
  private static func outline(_ value: JSONValue, prefix: String) -> [(name: String, text: String)] {
    guard let members = value.members, !members.isEmpty else { return [(prefix, Column.plain(value))] }
    return members.flatMap { outline($0.value, prefix: prefix.isEmpty ? $0.key : "\(prefix).\($0.key)") }
  }
}
