internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck frames`
struct FramesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "frames", abstract: "Each frame of a call, with its time.",
    discussion: """
      With --stalls only those that were waited for; a silence before the first frame or behind the last is told on stderr.

      Example: tapedeck frames @1 --stalls 500ms
      """)

  @OptionGroup var call: CallArgument
  @Option(help: ArgumentHelp("Only frames that came at least so long after the one before.", valueName: "duration"))
  var stalls: String?
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let least = try stalls.map { try Durations.nanoseconds($0, flag: "--stalls") }
    let asking = try Asking(store)
    let recorded = try asking.engine.recorded(asking.engine.resolve(call.call))
    // Lines of JSON go out as they are made; the other formats have to see all rows first.
    let printer = RowPrinter(format: format.resolved, columns: Self.columns)
    var rows: [JSONValue] = []
    var count = 0
    QueryEngine.forEachFrame(of: recorded) { row in
      if let least, (row["gap_ns"]?.integer).map({ Int64($0) < least }) ?? true { return }
      count += 1
      if printer.format == .ndjson { printer.print([row]) } else { rows.append(row) }
    }
    if printer.format == .table { Pager.start() }
    if !rows.isEmpty { printer.print(rows) }
    if let least { noteOtherSilence(recorded, least) }
    guard count > 0 else {
      try asking.report(damageIn: recorded)
      throw Asking.nothing(nothing(recorded))
    }
    try asking.report(damageIn: recorded)
  }

  /// What is no gap between two frames, and a stall all the same to who waited.
  private func noteOtherSilence(_ call: RecordedCall, _ least: Int64) {
    if let first = call.frameOffsetsNs.first, first >= least {
      StandardOutput.note("tapedeck: the first frame came after \(Self.duration(first))")
    }
    if let silence = QueryEngine.silenceAtEnd(of: call, atLeast: least) {
      StandardOutput.note(
        "tapedeck: after the last frame nothing came for \(Self.duration(silence.gapNs)), until it ended")
    }
  }

  private func nothing(_ call: RecordedCall) -> String {
    guard let stalls, call.frameCount > 0 else { return "this call has no frames" }
    if !call.open.hasTimes { return "this capture has no times" }
    return "no frame of this call came \(stalls) or more after the one before"
  }

  private static func duration(_ ns: Int64) -> String { Column.duration(.number(String(Double(ns) / 1e6))) ?? "–" }

  private static let columns = [
    Column("FRAME", "sequence", right: true),
    Column("AT", right: true) { milliseconds($0["offset_ns"]) },
    Column("GAP", right: true) { milliseconds($0["gap_ns"]) },
    Column("BYTES", "bytes", right: true).optional(2),
    Column("EVENT", "event").optional(1),
    Column("TEXT", "text"),
  ]

  private static func milliseconds(_ value: JSONValue?) -> String {
    guard let ns = value?.integer else { return "–" }
    return "\(Column.fixed(Double(ns) / 1e6, 3)) ms"
  }
}
