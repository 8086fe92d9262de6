internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck trace`
struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "The spans of a trace as a waterfall: first content, stalls, how each ended.",
    discussion: """
      A call is under the call that its traceparent header names as parent.

      Example: tapedeck trace 4bf92f3577b34da6a3ce929d0e0e4736
      """)

  @Argument(help: "A trace id, or @1 for the trace of the latest call, @2, …") var trace: String
  @Option(
    help: ArgumentHelp("Mark times of at least so long without a frame (default: 500ms).", valueName: "duration"))
  var stalls: String = "500ms"
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let least = try Durations.nanoseconds(stalls, flag: "--stalls")
    let asking = try Asking(store)
    let report = try asking.engine.trace(trace, stallNs: least)
    let format = format.resolved
    if format == .table {
      Pager.start()
      StandardOutput.write(Waterfall(report, stallNs: least).lines.joined(separator: "\n") + "\n")
    } else {
      RowPrinter(format: format, columns: Self.columns, csvColumns: Self.csvColumns).print(report.spans.map(\.json))
    }
    try asking.report(damageIn: report.spans.compactMap { span in span.damage.map { (span.id, $0) } })
  }

  /// Every key, whatever the calls at hand have.
  private static let csvColumns =
    [
      "call_id", "trace_id", "span_id", "parent_span_id", "parent_call_id", "depth", "thread_id", "identity_id",
      "deployment", "model", "provider", "state",
    ] + CallsCommand.csvColumns(of: "error") + ["started_at", "offset_ms"] + CallsCommand.csvColumns(of: "timings")
    + ["stalls"] + CallsCommand.csvColumns(of: "usage", "cost", "cost_unknown")

  private static let columns = [
    Column("SPAN") { row in
      String(repeating: "· ", count: min(row["depth"]?.integer ?? 0, 20)) + Column.plain(row["span_id"])
    },
    Column("CALL", "call_id"), Column("DEPLOYMENT", "deployment"), Column("MODEL", "model"), Column("STATE", "state"),
    Column.duration("START", "offset_ms"), Column.duration("TTFT", "timings", "first_content_ms"),
    Column.duration("TOOK", "timings", "duration_ms"),
    Column("STALLS", right: true) { row in String(row["stalls"]?.array?.count ?? 0) },
    Column("TOKENS", "usage", "total_tokens", right: true), Column("USD", "cost", "total_usd", right: true),
  ]
}
