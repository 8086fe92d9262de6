internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery

/// `tapedeck show`
struct ShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Request, rebuilt message, usage, cost, timings and defects of a call.",
    discussion: "Example: tapedeck show @1"
  ).underRoot

  @OptionGroup var call: CallArgument
  @Flag(help: "Images, audio and files whole, not as size and hash.") var full = false
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let asking = try Asking(store)
    let entry = try asking.engine.resolve(call.call)
    let recorded = try asking.engine.recorded(entry)
    let value = try asking.engine.show(recorded, at: entry.location, full: full)
    switch format.resolved {
    case .table, .markdown:
      Pager.start()
      CallPage(value).print()
    case .json: StandardOutput.write(json: value.pretty)
    case .ndjson: StandardOutput.write(json: value.compact)
    case .csv: RowPrinter(format: .csv, columns: []).print([value])
    }
    try asking.report(damageIn: recorded)
  }
}
