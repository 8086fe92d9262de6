internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck diff`
struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Two generations side by side: text, tool calls, usage, and time.",
    discussion: """
      Exits with 0 whether or not they differ.

      Example: tapedeck diff @2 @1
      """)

  @Argument(
    help: ArgumentHelp(
      "Two calls: ids or prefixes of ids, response ids, span ids, or @1 (latest), @2, …", valueName: "call"))
  var calls: [String]
  @Flag(help: "All of the texts, also long stretches that are the same.") var full = false
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func validate() throws {
    if calls.count != 2 { throw ValidationError("diff takes two calls, not \(calls.count)") }
  }

  func run() throws {
    let asking = try Asking(store)
    let entries = try calls.map { try asking.engine.resolve($0) }
    let recorded = try entries.map { try asking.engine.recorded($0) }
    let value = try asking.engine.diff((recorded[0], entries[0]), (recorded[1], entries[1]))
    switch format.resolved {
    case .table:
      Pager.start()
      StandardOutput.write(DiffPage(value, isFull: full).lines.joined(separator: "\n") + "\n")
    case .json: StandardOutput.write(json: value.pretty)
    case .ndjson: StandardOutput.write(json: value.compact)
    case .csv: RowPrinter(format: .csv, columns: []).print([value])
    case .markdown:
      let columns = [Column("", "name"), Column("A", "a"), Column("B", "b"), Column("DIFFERENCE", "difference")]
      RowPrinter(format: .markdown, columns: columns).print(DiffPage(value, isFull: full).measures.map(\.json))
    }
    try asking.report(
      damageIn: zip(entries, recorded).compactMap { entry, call in
        asking.engine.damage(of: call).map { (entry.id, $0) }
      })
  }
}
