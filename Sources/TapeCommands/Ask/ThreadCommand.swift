internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck thread`
struct ThreadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "thread", abstract: "A conversation: what is new in each call, edits of the history, running cost.",
    discussion: """
      Chat requests send the whole conversation again; what was there before is left out, and what is not what it was \
      is marked.

      Example: tapedeck thread thread_refund
      """)

  @Argument(help: "A thread id, or @1 for the thread of the latest call, @2, …") var thread: String
  @Flag(help: "Images, audio and files whole, not as size and hash.") var full = false
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let asking = try Asking(store)
    let format = format.resolved
    var rows: [JSONValue] = []
    var damaged: [(id: CallID, damage: String)] = []
    var page = ThreadPage()
    try asking.engine.thread(thread, full: full) { call in
      if let damage = call.damage { damaged.append((call.id, damage)) }
      guard let json = call.json else { return }
      switch format {
      case .table:
        Pager.start()
        page.print(json)
      case .ndjson: StandardOutput.write(json: json.compact)
      case .json, .csv, .markdown: rows.append(json)
      }
    }
    if !rows.isEmpty { RowPrinter(format: format, columns: Self.columns, csvColumns: Self.csvColumns).print(rows) }
    try asking.report(damageIn: damaged)
  }

  /// Every key, whatever the calls at hand have.
  private static let csvColumns =
    [
      "call_id", "started_at", "state", "deployment", "model", "provider", "identity_id", "mock", "history", "since",
      "overlaps", "messages_sent", "changes", "messages", "inputs", "choices",
    ] + CallsCommand.csvColumns(of: "error", "usage", "cost", "cost_unknown", "timings")
    + [
      "calls", "prompt_tokens", "completion_tokens", "total_tokens", "cost_usd", "calls_without_usage",
      "calls_without_price",
    ].map { "running.\($0)" }

  private static let columns = [
    Column("CALL", "call_id"), Column("STARTED", "started_at"), Column("STATE", "state"), Column("MODEL", "model"),
    Column("HISTORY", "history"),
    Column("NEW") { row in
      (row["messages"]?.array ?? []).map { "\(Column.plain($0["role"])): \(Column.plain($0["content"]))" }
        .joined(separator: " ")
    },
    Column("ANSWER") { row in
      (row["choices"]?.array ?? []).map { Column.plain($0["content"]) }.joined(separator: " ")
    },
    Column("TOKENS", "running", "total_tokens", right: true), Column("USD", "running", "cost_usd", right: true),
  ]
}
