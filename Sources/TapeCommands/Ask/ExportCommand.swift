internal import ArgumentParser
internal import TapeExport
internal import TapeQuery
internal import TapeTypes

/// `tapedeck export`
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Calls for other tools, on stdout.",
    discussion: """
      frames: timed captures, one JSON object a line, that `tapedeck import` takes back unchanged.

      Example: tapedeck export --to frames --identity ada@example.com > ada.jsonl
      """)

  enum Target: String, CaseIterable { case frames }

  /// Every other command has `--to` for a time; here the format's name is told from one.
  @Option(
    help: ArgumentHelp(
      "The format, frames; given again, calls that started before this time.", valueName: "format|time"))
  var to: [String]
  @Argument(help: ArgumentHelp("Calls; without any, all that the filters let through.", valueName: "call")) var calls:
    [String] = []
  @OptionGroup var filters: FilterOptions
  @OptionGroup var store: StoreOption

  func run() throws {
    let formats = to.filter { Target(rawValue: $0) != nil }
    let times = to.filter { Target(rawValue: $0) == nil }
    guard formats.count == 1, times.count <= 1 else {
      let known = Target.allCases.map(\.rawValue).joined(separator: ", ")
      throw TapeError(.usage, "export needs --to with one format (\(known)), not '\(to.joined(separator: "', '"))'")
    }
    let filter = try filters.filter(to: times.first)
    if !calls.isEmpty, !filter.isEmpty { throw TapeError(.usage, "give calls or filters, not both") }
    let asking = try Asking(store)
    let engine = asking.engine
    let entries = calls.isEmpty ? try engine.entries(filter, sort: .oldest) : try calls.map(engine.resolve)
    guard !entries.isEmpty else { throw Asking.nothing("no call matches") }
    var export = FramesExport { StandardOutput.write($0) }
    var damaged: [(id: CallID, damage: String)] = []
    try export.run(
      entries.map { entry in
        FramesExport.Source(startedAtNs: entry.startedAtNs, state: entry.state) {
          let call = try engine.recorded(entry)
          if let damage = engine.damage(of: call) { damaged.append((entry.id, damage)) }
          return call
        }
      })
    try asking.report(damageIn: damaged)
  }
}
