internal import ArgumentParser
internal import TapeArchive
internal import TapeExport
internal import TapeQuery
internal import TapeTypes

/// `tapedeck export`
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Calls for other tools, on stdout.",
    discussion: """
      frames: timed captures, one JSON object a line, that `tapedeck import` takes back unchanged.
      tape: one file that explains itself, with every byte, every time and the proof, for a bug report; `tapedeck \
      import` checks all of it and takes it back unchanged.

      Example: tapedeck export --to frames --identity ada@example.com > ada.jsonl
      """)

  enum Target: String, CaseIterable { case frames, tape }

  /// Every other command has `--to` for a time; here the format's name is told from one.
  @Option(
    help: ArgumentHelp(
      "The format, frames or tape; given again, calls that started before this time.", valueName: "format|time"))
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
    if formats == [Target.tape.rawValue] { return try tape(entries, asking) }
    var export = FramesExport { StandardOutput.write(lines: $0) }
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

  private func tape(_ entries: [CallEntry], _ asking: Asking) throws {
    let store = asking.engine.store
    let proofs: (note: CheckpointNote?, places: [CallID: TapeFile.Place])
    do {
      proofs = try ProofMaker(store: store).places(of: Set(entries.map(\.id)))
    } catch let error as TapeError where error.isDamage {
      StandardOutput.note("tapedeck: the tape has no proofs: \(error)")
      proofs = (nil, [:])
    }
    var writer = TapeFile.Writer()
    var damaged: [(id: CallID, damage: String)] = []
    StandardOutput.write(writer.start(proofs.note))
    for entry in entries {
      let call = try asking.engine.recorded(entry)
      if let damage = asking.engine.damage(of: call) { damaged.append((entry.id, damage)) }
      StandardOutput.write(writer.call(call, proofs.places[entry.id]))
    }
    StandardOutput.write(writer.finish())
    try asking.report(damageIn: damaged)
  }
}
