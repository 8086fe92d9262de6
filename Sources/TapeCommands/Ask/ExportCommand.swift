package import ArgumentParser
internal import TapeArchive
internal import TapeExport
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck export`
struct ExportCommand: ParsableCommand {
  static let configuration = ExportOptions.configuration

  @OptionGroup var options: ExportOptions

  func run() throws {
    // What may talk to the network lives in the other executable.
    if try options.target() == .otlp { try LiveCommand.exec() }
    try options.exportFiles()
  }
}

extension ExportOptions {
  package static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Calls for other tools: into a file, to stdout, or to a collector.",
    discussion: """
      ndjson: the object of `show` and the text of `calls`, one a line. csv: the same as a table (RFC 4180), members of \
      members as dotted columns.
      har: HTTP Archive 1.2, for the tools of browsers; what it has no place for is under `_tapedeck`, so that `tapedeck \
      import` takes it back unchanged.
      otlp: a span for each call after the GenAI semantic conventions, to a collector (OTLP/HTTP) with --endpoint, else \
      as one protobuf message.
      frames: timed captures, one JSON object a line, that `tapedeck import` takes back unchanged.
      tape: one file that explains itself, with every byte, every time and the proof, for a bug report; `tapedeck \
      import` checks all of it and takes it back unchanged.

      Example: tapedeck export --to har --identity ada@example.com -o ada.har
      """)

  /// Every target but `otlp`.
  package func exportFiles() throws {
    let target = try target()
    let selection = try selection()
    let sink = try OutputSink(output)
    switch target {
    case .ndjson: try lines(selection, sink)
    case .csv: try table(selection, sink)
    case .har: try archive(selection, sink)
    case .frames: try frames(selection, sink)
    case .tape: try tape(selection, sink)
    case .otlp: throw TapeError(.usage, "--to otlp is the business of tapedeck-live")
    }
    try sink.finish()
    try selection.finish()
  }

  private func lines(_ selection: ExportSelection, _ sink: OutputSink) throws {
    try selection.forEach { entry, call in
      try sink.write(selection.engine.exported(call, at: entry.location, full: full).compact + [0x0A])
    }
  }

  private func table(_ selection: ExportSelection, _ sink: OutputSink) throws {
    let csv = CSVLines(columns: CallsCommand.csvColumns, whole: ["request", "choices", "retrievals", "extra"])
    try sink.write(csv.header)
    try selection.forEach { entry, call in
      try sink.write(csv.line(selection.engine.exported(call, at: entry.location, full: full)))
    }
  }

  private func archive(_ selection: ExportSelection, _ sink: OutputSink) throws {
    var writer = HARWriter(program: "tapedeck", version: Entry.version)
    try sink.write(writer.start())
    try selection.forEach { entry, call in try sink.write(writer.entry(call, state: entry.state)) }
    try sink.write(writer.finish())
  }

  private func frames(_ selection: ExportSelection, _ sink: OutputSink) throws {
    var export = FramesExport { try sink.write($0) }
    try selection.forEach { entry, call in try export.add(call, state: entry.state) }
    try export.finish()
  }

  private func tape(_ selection: ExportSelection, _ sink: OutputSink) throws {
    var places = CallPlaces()
    do {
      places = try ProofMaker(store: selection.engine.store).places()
    } catch let error as TapeError where error.isDamage {
      StandardOutput.note("tapedeck: the tape has no proofs: \(error)")
    }
    var writer = TapeFile.Writer()
    let hasProofs = try selection.contains { places.contains($0.id) }
    try sink.write(writer.start(hasProofs ? places.note : nil))
    try selection.forEach { entry, call in try sink.write(writer.call(call, places.place(of: entry.id))) }
    try sink.write(writer.finish())
  }
}
