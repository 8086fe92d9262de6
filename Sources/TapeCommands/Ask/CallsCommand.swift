internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck calls`
struct CallsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calls", abstract: "List calls.",
    discussion: "Example: tapedeck calls --identity ada@example.com --from yesterday --state client_abort")

  @OptionGroup var store: StoreOption
  @OptionGroup var filters: FilterOptions
  @OptionGroup var end: EndOption
  @OptionGroup var format: FormatOption
  @Option(help: "At most so many (default: 50 in a table, all elsewhere).") var limit: Int?
  @Option(help: ArgumentHelp("The order.", valueName: CallSort.allCases.map(\.rawValue).joined(separator: "|")))
  var sort: String = CallSort.newest.rawValue
  @Flag(help: "Go on and print each call when it has ended, until interrupted.") var follow = false

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1") }
    if follow, let format = format.format, format == .json || format == .csv {
      throw ValidationError("--follow prints calls one by one: as table, markdown or ndjson")
    }
    if CallSort(rawValue: sort) == nil {
      throw ValidationError("--sort takes \(CallSort.allCases.map(\.rawValue).joined(separator: ", ")), not '\(sort)'")
    }
  }

  func run() throws {
    let filter = try filters.filter(to: end.to)
    let asking = try Asking(store)
    let format = format.resolved
    let rows = try asking.engine.calls(
      filter, sort: CallSort(rawValue: sort) ?? .newest, limit: limit ?? (format == .table ? 50 : nil))
    guard !rows.isEmpty || follow else {
      throw Asking.nothing(filter.isEmpty ? "no calls in this store yet" : "no call matches")
    }
    // With --follow the latest is at the end, where the next ones come.
    RowPrinter(format: format, columns: Self.columns, csvColumns: Self.csvColumns).print(
      follow ? rows.reversed() : rows)
    if follow { try CallsFollower(engine: asking.engine, filter: filter, format: format).run() }
  }

  /// Every key of a call, whatever the calls at hand have.
  static let csvColumns: [String] = {
    func nested(_ name: String, _ keys: [String]) -> [String] { keys.map { "\(name).\($0)" } }
    return [
      "call_id", "response_id", "trace_id", "span_id", "thread_id", "thread_tags", "identity_id", "deployment", "model",
      "provider", "object", "created", "finalized", "integration_id", "system_fingerprint", "started_at", "state",
      "complete", "content_mode", "mock", "http_status",
    ] + nested("error", ["message", "code", "source", "frame"])
      + nested(
        "usage", ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "frame"])
      + ["defects"]
      + nested(
        "cost",
        [
          "total_usd", "input_usd", "cached_usd", "output_usd", "reasoning_usd", "request_usd", "price_model",
          "price_version", "notes",
        ])
      + nested(
        "cost.rates",
        ["input_usd", "cached_usd", "output_usd", "reasoning_usd", "request_usd", "above_tokens", "from", "utc"])
      + nested("cost_unknown", ["reason", "message"])
      + nested(
        "timings",
        ["first_byte_ms", "first_frame_ms", "first_content_ms", "duration_ms", "frames", "longest_gap_ms"])
      + nested("archive", ["file", "offset", "leaf_hash"]) + ["text"]
  }()

  /// Those of nested objects, one object behind the other.
  static func csvColumns(of objects: String...) -> [String] {
    objects.flatMap { object in csvColumns.filter { $0.hasPrefix("\(object).") } }
  }

  static let columns = [
    Column("CALL", "call_id"),
    Column("STARTED") { row in
      Column.plain(row["started_at"]).prefix(19).split(separator: "T").joined(separator: " ")
    },
    Column("STATE", "state"),
    Column("DEPLOYMENT", "deployment"),
    Column("MODEL", "model"),
    Column("IDENTITY", "identity_id"),
    Column("THREAD", "thread_id"),
    Column("TOKENS", "usage", "total_tokens", right: true),
    Column("USD", "cost", "total_usd", right: true),
    Column.duration("TTFT", "timings", "first_content_ms"),
    Column.duration("TOOK", "timings", "duration_ms"),
    Column("TEXT", "text", flexible: true),
  ]
}
