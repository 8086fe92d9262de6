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
    case .table, .markdown:
      var lines: [String] = []
      Self.outline(value, prefix: "", into: &lines)
      StandardOutput.write(lines.joined(separator: "\n") + "\n")
    }
  }

  /// Nested members as dotted names, one a line.
  private static func outline(_ value: JSONValue, prefix: String, into lines: inout [String]) {
    guard let members = value.members, !members.isEmpty else {
      lines.append(TerminalText.padded(prefix, to: 28) + "  " + TerminalText.escaped(Column.plain(value)))
      return
    }
    for member in members {
      outline(member.value, prefix: prefix.isEmpty ? member.key : "\(prefix).\(member.key)", into: &lines)
    }
  }
}
