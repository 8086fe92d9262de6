internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck calls`
struct CallsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calls", abstract: "List calls.",
    discussion: "Example: tapedeck calls --identity ada@example.com --from yesterday"
  ).underRoot

  @OptionGroup var store: StoreOption
  @OptionGroup var filters: FilterOptions
  @OptionGroup var end: EndOption
  @OptionGroup var format: FormatOption
  @Option(help: "At most so many (default: 50 in a table, all elsewhere).") var limit: Int?
  @Option(help: ArgumentHelp("The order.", valueName: CallSort.allCases.map(\.rawValue).joined(separator: "|")))
  var sort: String = CallSort.newest.rawValue
  @Option(help: ArgumentHelp("Only those behind this call of the list: the next page.", valueName: "call"))
  var after: String?
  @Flag(help: "Go on and print each call when it has ended, until interrupted.") var follow = false

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1") }
    if follow, let format = format.format, format == .json || format == .csv {
      throw ValidationError("--follow prints calls one by one: as table, markdown or ndjson")
    }
    if follow, after != nil { throw ValidationError("--follow goes on with new calls, --after with older ones") }
    if CallSort(rawValue: sort) == nil {
      throw ValidationError("--sort takes \(CallSort.allCases.map(\.rawValue).joined(separator: ", ")), not '\(sort)'")
    }
  }

  func run() throws {
    let filter = try filters.filter(to: end.to)
    let asking = try Asking(store)
    let format = format.resolved
    let order = CallSort(rawValue: sort) ?? .newest
    let place = try after.map(asking.engine.resolve)
    let most = limit ?? (format == .table ? 50 : nil)
    let printer = RowPrinter(format: format, columns: Self.columns, csvColumns: Self.csvColumns)
    if follow {
      // The latest is at the end, where the next ones come.
      let shown = try asking.engine.calls(filter, sort: order, limit: most ?? 10_000)
      var follower = CallsFollower(engine: asking.engine, filter: filter, printer: printer)
      return try follower.run(shown.reversed())
    }
    var writer = RowWriter(printer)
    var (found, last) = (0, "")
    try asking.engine.forEachCall(filter, sort: order, after: place, limit: most) { row in
      if found == 0, format == .table { Pager.start() }
      found += 1
      last = row["call_id"]?.string ?? ""
      writer.write(row)
    }
    guard found > 0 else { throw Asking.nothing(nothing(filter)) }
    writer.finish()
    if format == .table, found == most {
      StandardOutput.note("tapedeck: \(found) calls; the next ones: --after \(last)")
    }
  }

  private func nothing(_ filter: CallFilter) -> String {
    if let after { return "no call behind \(after) in this list" }
    return filter.isEmpty ? "no calls in this store yet" : "no call matches"
  }

  static let csvColumns = CallColumns.csv

  /// Those of nested objects, one object behind the other.
  static func csvColumns(of objects: String...) -> [String] {
    objects.flatMap { object in csvColumns.filter { $0.hasPrefix("\(object).") } }
  }

  static let columns = [
    Column("CALL", "call_id").whole,
    Column("STARTED") { row in
      Column.plain(row["started_at"]).prefix(19).split(separator: "T").joined(separator: " ")
    }.whole,
    // Still tells upstream_error and upstream_cut apart.
    Column("STATE", "state").least(11),
    Column("DEPLOYMENT", "deployment").optional(7),
    Column("MODEL", "model").optional(1),
    Column("IDENTITY", "identity_id").optional(3),
    Column("THREAD", "thread_id").optional(9),
    Column("TOKENS", "usage", "total_tokens", right: true).optional(5),
    Column("USD", "cost", "total_usd", right: true).optional(4),
    Column.duration("TTFT", "timings", "first_content_ms").optional(8),
    Column.duration("TOOK", "timings", "duration_ms").optional(6),
    Column("TEXT", "text").optional(2),
  ]
}
