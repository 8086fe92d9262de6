internal import ArgumentParser
internal import TapeArchive
internal import TapeJSON
internal import TapePricing
internal import TapeQuery
internal import TapeTypes

/// `tapedeck prices`
struct PricesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prices", abstract: "The prices that costs are made with: look, update, set, try.",
    discussion: """
      Prices are USD per million tokens, by provider, model and date. They come with the program, from the package \
      genai-prices; `update` gives a store a newer table and `set` prices of its own, such as those of a contract. \
      Costs are never stored, so both also go for calls of the past. A stream's usage does not tell cache writes, \
      audio or the service tier; models that bill for such have a note.

      Example: tapedeck prices show gpt-4o
      """,
    subcommands: [
      PricesList.self, PricesShow.self, PricesUpdate.self, PricesSet.self, PricesUnset.self, PricesCost.self,
    ],
    defaultSubcommand: PricesList.self)
}

/// The prices of a store, also where there is no store yet.
struct PriceReading {
  let table: PriceTable

  /// - Throws: `TapeError` for a directory that is no store, and for prices that cannot be used.
  init(_ option: StoreOption) throws {
    let path = try option.path()
    table =
      try SystemFiles().status(path + "/tapedeck.json") == nil && Self.isVacant(path)
      ? .bundled : StorePrices(Store(path: path, access: .reading)).table()
  }

  /// Nothing, or an empty directory.
  private static func isVacant(_ path: String) throws -> Bool {
    guard let status = try SystemFiles().status(path) else { return true }
    return status.isDirectory ? try SystemFiles().list(path).isEmpty : false
  }
}

/// The `--at` flag.
struct PriceTimeOption: ParsableArguments {
  @Option(help: ArgumentHelp("The time that is meant: prices have dates (default: now).", valueName: "time"))
  var at: String?

  /// ns since 1970.
  func moment() throws -> Int64 {
    let now = SystemClock().wallNs()
    return try at.map { try TimeParser.moment($0, zone: .utc, nowNs: now) } ?? now
  }
}

/// `tapedeck prices list`
struct PricesList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Every model with the rates that hold: USD per million tokens, fees per request.",
    discussion: "Example: tapedeck prices list --provider anthropic")

  @Option(help: "Only its models: orq's name of it, or the table's.") var provider: String?
  @OptionGroup var at: PriceTimeOption
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let rows = try PriceReading(store).table.list(provider: provider, at: at.moment())
    guard !rows.isEmpty else {
      throw Asking.nothing("no prices for provider \(provider ?? "")")
    }
    if format.resolved == .table { Pager.start() }
    RowPrinter(format: format.resolved, columns: Self.columns).print(rows)
  }

  static let columns =
    [Column("PROVIDER", "provider"), Column("MODEL", "model")] + rates
    + [
      Column("BY") { row in words(row["varies"]) }.whenNotEmpty.optional(1),
      Column("NOT IN USAGE") { row in words(row["not_in_usage"]) }.whenNotEmpty.optional(2),
      Column("PRICES", "price_version").optional(3),
    ]

  static let rates = [
    Column("IN", "input_usd", right: true), Column("CACHED", "cached_usd", right: true),
    Column("OUT", "output_usd", right: true),
    Column("REASONING", "reasoning_usd", right: true).whenNotEmpty.optional(4),
    Column("REQUEST", "request_usd", right: true).whenNotEmpty.optional(5),
  ]

  static func words(_ list: JSONValue?) -> String {
    let words = list?.array?.compactMap(\.string) ?? []
    return words.isEmpty ? "–" : words.joined(separator: ", ")
  }
}

/// `tapedeck prices show`
struct PricesShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "All that is known of the price of a model: dates, hours, tiers, and how it is told.",
    discussion: "Example: tapedeck prices show gpt-4o-2024-08-06 --provider azure")

  @Argument(help: "The model as calls or `prices list` name it; PROVIDER/MODEL too.") var model: String
  @Option(help: "Its provider (default: every one that has the model).") var provider: String?
  @OptionGroup var at: PriceTimeOption
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let rows = try PriceReading(store).table.details(model: model, provider: provider, at: at.moment())
    guard !rows.isEmpty else {
      let place = provider.map { " of provider \($0)" } ?? ""
      throw Asking.nothing("no price for model \(model)\(place); give one with: tapedeck prices set")
    }
    if format.resolved == .table { Pager.start() }
    switch format.resolved {
    case .table, .markdown: for row in rows { Self.page(row, format.resolved) }
    case .json, .ndjson, .csv: RowPrinter(format: format.resolved, columns: []).print(rows)
    }
  }

  private static func page(_ model: JSONValue, _ format: OutputFormat) {
    let name = "\(Column.plain(model["provider"]))/\(Column.plain(model["model"]))"
    let date = model["date"]?.string.map { " of \($0)" } ?? ""
    var lines = ["\(name): \(Column.plain(model["price_version"]))\(date)"]
    if let match = model["match"], !match.isNull { lines.append("matches \(match.compactString)") }
    for note in model["notes"]?.array ?? [] { lines.append("note: \(Column.plain(note))") }
    if let missing = model["not_in_usage"]?.array, !missing.isEmpty {
      lines.append("bills for what a usage does not tell: \(PricesList.words(model["not_in_usage"]))")
    }
    StandardOutput.write(lines.map { TerminalText.escaped($0) + "\n" }.joined())
    let rows = (model["overrides"]?.array ?? []) + (model["rates"]?.array ?? [])
    RowPrinter(format: format, columns: columns).print(rows.flatMap(withTiers))
    StandardOutput.write("\n")
  }

  /// A row, and one for each size above which its rates are others.
  private static func withTiers(_ row: JSONValue) -> [JSONValue] {
    let tiers = (row["tiers"]?.array ?? []).map { tier in
      JSONValue.object((row.members ?? []).filter { tier[$0.key] == nil } + (tier.members ?? []))
    }
    return [row] + tiers
  }

  private static let columns =
    [
      Column("HOLDS", "holds"), Column("FROM", "from").whenNotEmpty,
      Column("UTC") { row in row["utc"]?.array.map { $0.compactMap(\.string).joined(separator: "–") } ?? "–" }
        .whenNotEmpty,
      Column("ABOVE TOKENS", "above_tokens", right: true).whenNotEmpty,
    ] + PricesList.rates + [Column("SET", "price_version").whenNotEmpty]
}

/// `tapedeck prices cost`
struct PricesCost: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cost", abstract: "What a usage costs, exactly as reports say it; null where that is not known.",
    discussion: """
      Example: tapedeck prices cost --provider openai --model gpt-4o \\
        --prompt 1000 --completion 500
      """)

  @Option(help: "orq's name of the provider.") var provider: String?
  @Option(help: "The model that answered.") var model: String?
  @Option(parsing: .unconditional, help: "Prompt tokens, cached ones too.") var prompt: Int?
  @Option(parsing: .unconditional, help: "Completion tokens, reasoning too.") var completion: Int?
  @Option(parsing: .unconditional, help: "Prompt tokens that were read from a cache.") var cached: Int?
  @Option(parsing: .unconditional, help: "Reasoning tokens.") var reasoning: Int?
  @Option(parsing: .unconditional, help: "The provider's total: tells whether reasoning is billed on top.") var total:
    Int?
  @OptionGroup var at: PriceTimeOption
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    let result = try PriceReading(store).table.cost(
      provider: provider, model: model, prompt: prompt, completion: completion, cached: cached, reasoning: reasoning,
      total: total, at: at.moment())
    switch result {
    case .cost(let cost): printCost(cost.json)
    case .unknown(let why):
      if [.json, .ndjson].contains(format.resolved) { StandardOutput.write(json: JSONValue.null.compact) }
      StandardOutput.note("tapedeck: the cost is not known: \(why.message)")
      throw ExitCode(1)
    }
  }

  private func printCost(_ cost: JSONValue) {
    switch format.resolved {
    case .json: StandardOutput.write(json: cost.pretty)
    case .ndjson: StandardOutput.write(json: cost.compact)
    case .csv, .markdown, .table: RowPrinter(format: format.resolved, columns: Self.columns).print([cost])
    }
  }

  private static let columns = [
    Column("USD", "total_usd", right: true), Column("IN", "input_usd", right: true),
    Column("CACHED", "cached_usd", right: true), Column("OUT", "output_usd", right: true),
    Column("REASONING", "reasoning_usd", right: true).whenNotEmpty,
    Column("REQUEST", "request_usd", right: true).whenNotEmpty,
    Column("PRICED AS", "price_model"), Column("PRICES", "price_version").optional(2),
    Column("NOTES") { row in (row["notes"]?.array ?? []).compactMap(\.string).joined(separator: "; ") }.optional(1),
  ]
}
