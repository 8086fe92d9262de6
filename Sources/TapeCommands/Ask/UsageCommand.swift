internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck usage`
struct UsageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage", abstract: "Tokens, cost, errors and latency, summed.",
    discussion: "Example: tapedeck usage --by identity,model --from 2026-11-01 --totals")

  @Option(
    help: ArgumentHelp(
      "What to split by: identity, thread, tag, deployment, model, provider, state, trace, meta:KEY, hour, day, month; "
        + "several with commas.", valueName: "dimensions"))
  var by: String = "model"
  @Flag(help: "A last row with the sums over all calls.") var totals = false
  @Option(help: "Only the groups with the highest cost.") var top: Int?
  @OptionGroup var filters: FilterOptions
  @OptionGroup var end: EndOption
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func validate() throws {
    if let top, top < 1 { throw ValidationError("--top takes a number from 1") }
  }

  func run() throws {
    let dimensions = try UsageDimension.list(parsing: by)
    let filter = try filters.filter(to: end.to)
    let zone = try filters.timeZone()
    let asking = try Asking(store)
    let rows = try asking.engine.usage(filter, by: dimensions, timeZone: zone, totals: totals, top: top)
    guard rows.contains(where: { $0["calls"]?.integer ?? 0 > 0 }) else { throw Asking.nothing("no call matches") }
    let ids = rows.compactMap { $0["group"]?["identity"]?.string }
    let names = format.resolved == .table || format.resolved == .markdown ? try asking.engine.identityNames(ids) : [:]
    let printer = RowPrinter(
      format: format.resolved, columns: Self.columns(dimensions, names: names),
      csvColumns: dimensions.map { "group.\($0.name)" }
        + (rows.first?.members ?? []).map(\.key).filter { $0 != "group" })
    printer.print(printer.format == .csv ? rows.map { Self.named($0, dimensions) } : rows)
  }

  /// In CSV the totals say so in the first group, where an unknown value would be empty too.
  private static func named(_ row: JSONValue, _ dimensions: [UsageDimension]) -> JSONValue {
    guard row["group"] == .object([]), let first = dimensions.first, var members = row.members else { return row }
    members[0].value = .object([.init(first.name, "total")])
    return .object(members)
  }

  /// - Parameter names: display names by identity, shown beside the ids.
  private static func columns(_ dimensions: [UsageDimension], names: [String: String]) -> [Column] {
    let groups = dimensions.flatMap { dimension in
      let column = Column(dimension.name.uppercased()) { row in
        guard let group = row["group"], group != .object([]) else { return "total" }
        return Column.plain(group[dimension.name])
      }
      guard dimension == .identity else { return [column] }
      let name = Column("NAME") { row in row["group"]?["identity"]?.string.flatMap { names[$0] } ?? "–" }
      return [column, name.whenNotEmpty]
    }
    return groups + measures
  }

  private static let measures = [
    Column("CALLS", "calls", right: true),
    Column("ERRORS", "errors", right: true).whenNotEmpty,
    Column("ABORTS", "aborts", right: true).whenNotEmpty,
    Column("PROMPT", "prompt_tokens", right: true),
    Column("CACHED", "cached_tokens", right: true).whenNotEmpty,
    Column("COMPLETION", "completion_tokens", right: true),
    Column("REASONING", "reasoning_tokens", right: true).whenNotEmpty,
    Column("TOTAL", "total_tokens", right: true),
    Column("USD", "cost_usd", right: true),
    Column("NO USAGE", "calls_without_usage", right: true).whenNotEmpty,
    Column("NO PRICE", "calls_without_price", right: true).whenNotEmpty,
    Column.duration("TTFT P50", "ttft_p50_ms"),
    Column.duration("TTFT P95", "ttft_p95_ms"),
    Column.duration("TOOK P50", "duration_p50_ms"),
  ]
}
