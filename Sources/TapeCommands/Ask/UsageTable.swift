internal import TapeJSON
internal import TapeQuery

/// Prints the rows of `usage`.
struct UsageTable {
  let dimensions: [UsageDimension]
  /// Display names by identity, shown beside the ids.
  let names: [String: String]

  func print(_ rows: UsageRows, _ format: OutputFormat) {
    let printer = RowPrinter(
      format: format, columns: columns,
      csvColumns: dimensions.map { "group.\($0.name)" } + (rows.first.map(Self.csvColumns) ?? []))
    if format == .table { Pager.start() }
    if format.isJSON {
      var writer = RowWriter(printer)
      for place in rows.indices { writer.writeJSON { rows.write(place, into: &$0, indent: $1) } }
      writer.finish()
    } else if format == .csv {
      printer.print(rows.lazy.map(named))
    } else {
      printer.print(rows)
    }
  }

  /// The keys of a row, but for the group, nested ones with dots.
  static func csvColumns(_ row: JSONValue) -> [String] {
    (row.members ?? []).filter { $0.key != "group" }.flatMap { member in
      member.value.members.map { $0.map { "\(member.key).\($0.key)" } } ?? [member.key]
    }
  }

  /// In CSV the totals say so in the first group, where an unknown value would be empty too.
  private func named(_ row: JSONValue) -> JSONValue {
    guard row["group"] == .object([]), let first = dimensions.first, var members = row.members else { return row }
    members[0].value = .object([.init(first.name, "total")])
    return .object(members)
  }

  private var columns: [Column] {
    let names = names
    let groups = dimensions.flatMap { dimension in
      let column = Column(dimension.name.uppercased()) { row in
        guard let group = row["group"], group != .object([]) else { return "total" }
        return Column.plain(group[dimension.name])
      }
      guard dimension == .identity else { return [column] }
      let name = Column("NAME") { row in row["group"]?["identity"]?.string.flatMap { names[$0] } ?? "–" }
      return [column, name.whenNotEmpty.optional(5)]
    }
    return groups + Self.measures
  }

  private static let measures = [
    Column("CALLS", "calls", right: true),
    Column("ERRORS", "errors", right: true).whenNotEmpty.optional(1),
    Column("ABORTS", "aborts", right: true).whenNotEmpty.optional(2),
    Column("PROMPT", "prompt_tokens", right: true).optional(4),
    Column("CACHED", "cached_tokens", right: true).whenNotEmpty.optional(6),
    Column("COMPLETION", "completion_tokens", right: true).optional(4),
    Column("REASONING", "reasoning_tokens", right: true).whenNotEmpty.optional(7),
    Column("TOTAL", "total_tokens", right: true).optional(1),
    Column("USD", "cost_usd", right: true),
    Column.duration("TTFT P50", "ttft_p50_ms").optional(5),
    Column.duration("TTFT P95", "ttft_p95_ms").optional(9),
    Column.duration("TOOK P50", "duration_p50_ms").optional(8),
    Column("NOT PRICED") { row in reasons(row["unpriced"]) }.whenNotEmpty.optional(3),
  ]

  /// `2 no usage, 1 unknown model`
  static func reasons(_ unpriced: JSONValue?) -> String {
    let parts = (unpriced?.members ?? []).filter { $0.value.integer ?? 0 > 0 }.map { member in
      "\(Column.plain(member.value)) \(member.key.split(separator: "_").joined(separator: " "))"
    }
    return parts.isEmpty ? "–" : parts.joined(separator: ", ")
  }
}

/// Prints the rows of `usage --against`.
struct BillTable {
  func print(_ rows: [JSONValue], _ format: OutputFormat) {
    let printer = RowPrinter(
      format: format, columns: Self.columns,
      csvColumns: ["group.day", "group.model"] + (rows.first.map(UsageTable.csvColumns) ?? []))
    printer.print(format == .csv ? rows.map(named) : rows)
  }

  private func named(_ row: JSONValue) -> JSONValue {
    guard row["group"] == .object([]), var members = row.members else { return row }
    members[0].value = ["day": "total"]
    return .object(members)
  }

  private static let columns = [
    Column("DAY") { row in row["group"] == .object([]) ? "total" : Column.plain(row["group"]?["day"]) }.whole,
    Column("MODEL") { row in row["group"] == .object([]) ? "" : Column.plain(row["group"]?["model"]) },
    Column("CALLS", "calls", right: true).optional(3),
    Column("TOKENS", "total_tokens", right: true).optional(2),
    Column("BILL TOKENS", "bill_tokens", right: true).optional(2),
    Column("DIFFERENCE", "difference_tokens", right: true),
    Column("USD", "cost_usd", right: true), Column("BILL USD", "bill_usd", right: true),
    Column("DIFFERENCE USD", "difference_usd", right: true),
    Column("ONLY IN") { row in row["side"] == "both" ? "–" : Column.plain(row["side"]) }.whenNotEmpty,
    Column("NO USAGE", "calls_without_usage", right: true).whenNotEmpty.optional(4),
    Column("NO PRICE", "calls_without_price", right: true).whenNotEmpty.optional(4),
  ]
}
