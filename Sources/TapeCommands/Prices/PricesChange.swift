internal import ArgumentParser
internal import TapeArchive
internal import TapeJSON
internal import TapePricing
internal import TapeQuery
internal import TapeTypes

/// `tapedeck prices update`
struct PricesUpdate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "update", abstract: "Use another price table for a store, after checking all of it.",
    discussion: """
      The file has the format of schema/prices.json; schema/update_prices.py makes one from any release of the \
      package genai-prices. A file with a mistake changes nothing.

      Example: tapedeck prices update ./prices.json
      """)

  @Argument(help: "The file, - for stdin.") var file: String?
  @Flag(help: "Go back to the table that came with the program.") var bundled = false
  @OptionGroup var store: StoreOption

  func validate() throws {
    if (file == nil) != bundled { throw ValidationError("give either a FILE or --bundled") }
  }

  func run() throws {
    let bytes = try file.map { try TrustFiles.read($0, "price table") }
    let table = try bytes.map(checked) ?? .bundled
    let store = try store.open(.writing)
    let files = try PriceFiles(store)
    // What was there may be what is to be mended.
    let before = try? StorePrices.base(of: store)
    if let bytes {
      try files.replace(StorePrices.tableName, with: bytes)
    } else {
      try files.remove(StorePrices.tableName)
    }
    let date = table.date.map { " (\($0))" } ?? ""
    let difference = before.map { ": " + Self.difference(from: $0, to: table) } ?? ""
    StandardOutput.note("tapedeck: prices of \(store.path) are now \(table.version)\(date)\(difference)")
  }

  private func checked(_ bytes: [UInt8]) throws -> PriceTable {
    do throws(TapeError) {
      let table = try PriceTable(update: bytes)
      try table.validate()
      return table
    } catch {
      throw TapeError(.failed, "\(file ?? "") was not taken, nothing is changed: \(error.description)")
    }
  }

  private static func difference(from old: PriceTable, to new: PriceTable) -> String {
    func models(_ table: PriceTable) -> [String: JSONValue] {
      let pairs = table.providers.flatMap { name in
        table.models(of: name).map { ("\(name)/\($0["id"]?.string ?? "")", $0["prices"] ?? .null) }
      }
      return Dictionary(pairs, uniquingKeysWith: { $1 })
    }
    let (before, after) = (models(old), models(new))
    let added = after.keys.count { before[$0] == nil }
    let gone = before.keys.count { after[$0] == nil }
    let changed = after.count { before[$0.key] != nil && before[$0.key] != $0.value }
    return "\(after.count) models, \(added) new, \(changed) with other prices, \(gone) gone"
  }
}

/// `tapedeck prices set`
struct PricesSet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Give a model of a provider a price of your own, in place of the table's.",
    discussion: """
      Rates are USD per million tokens, --request is USD per call. Rates that are not given stay as the table has \
      them. With --from, calls before that day keep the price that they had; without, the price goes for all calls. \
      MODEL is the name that calls have, or one of `prices list` for all names of that model. It need not be in any \
      table.

      Example: tapedeck prices set openai gpt-4o --input 2.00 --output 8.00
      """)

  @Argument(help: "orq's name of the provider.") var provider: String
  @Argument(help: "The model.") var model: String
  @Option(parsing: .unconditional, help: ArgumentHelp("Prompt tokens.", valueName: "usd")) var input: String
  @Option(parsing: .unconditional, help: ArgumentHelp("Completion tokens.", valueName: "usd")) var output: String
  @Option(parsing: .unconditional, help: ArgumentHelp("Prompt tokens read from a cache.", valueName: "usd"))
  var cached: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Reasoning tokens.", valueName: "usd")) var reasoning: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Each call.", valueName: "usd")) var request: String?
  @Option(help: ArgumentHelp("The first day (UTC) of the price.", valueName: "date")) var from: String?
  @OptionGroup var store: StoreOption

  func run() throws {
    if provider.isEmpty || model.isEmpty { throw TapeError(.usage, "PROVIDER and MODEL cannot be empty") }
    if let from, !CivilDate.isDay(from) {
      throw TapeError(.usage, "--from takes a day such as 2026-11-01, not '\(from)'")
    }
    var override = PriceOverride(
      provider: provider, model: model, from: from, setAt: Self.now, input: try Self.rate(input, "--input"),
      output: try Self.rate(output, "--output"))
    override.cached = try cached.map { try Self.rate($0, "--cached") }
    override.reasoning = try reasoning.map { try Self.rate($0, "--reasoning") }
    override.request = try request.map { try Self.rate($0, "--request") }
    let store = try store.open(.writing)
    let files = try PriceFiles(store)
    var overrides = try StorePrices.overrides(of: store)
    overrides.set(override)
    try files.replace(StorePrices.overridesName, with: overrides.json.pretty + [0x0A])
    let since = from.map { " from \($0)" } ?? ""
    StandardOutput.note(
      "tapedeck: \(provider)/\(model)\(since): \(override.input) in, \(override.output) out, USD per million tokens")
  }

  /// To the second.
  private static var now: String { RFC3339.string(SystemClock().wallNs()).prefix(19) + "Z" }

  private static func rate(_ text: String, _ flag: String) throws -> DecimalNumber {
    guard let rate = DecimalNumber(text) else {
      throw TapeError(.usage, "\(flag) takes USD such as 2.50, not '\(text)'")
    }
    guard rate >= .zero else { throw TapeError(.usage, "\(flag) is negative: \(text)") }
    guard rate.isInPriceRange else {
      throw TapeError(.usage, "\(flag) takes less than 9,000,000 USD, with at most 12 decimal places, not \(text)")
    }
    return rate
  }
}

/// `tapedeck prices unset`
struct PricesUnset: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unset", abstract: "Take back what `prices set` gave.",
    discussion: "Example: tapedeck prices unset openai gpt-4o")

  @Argument(help: "The provider, as it was given.") var provider: String?
  @Argument(help: "The model, as it was given.") var model: String?
  @Option(help: ArgumentHelp("Only the price that holds from this day.", valueName: "date")) var from: String?
  @Flag(help: "All prices that were set.") var all = false
  @OptionGroup var store: StoreOption

  func validate() throws {
    if all ? provider != nil || from != nil : model == nil {
      throw ValidationError("give PROVIDER and MODEL, or --all")
    }
  }

  func run() throws {
    let store = try store.openExisting()
    let files = try PriceFiles(store)
    if all {
      guard try files.remove(StorePrices.overridesName) else { throw Asking.nothing("no price was set") }
      return StandardOutput.note("tapedeck: all prices are those of the table again")
    }
    let (provider, model) = (provider ?? "", model ?? "")
    var overrides = try StorePrices.overrides(of: store)
    guard overrides.remove(provider: provider, model: model, from: from) > 0 else {
      let since = from.map { " from \($0)" } ?? ""
      throw Asking.nothing("no price was set for \(provider)/\(model)\(since)")
    }
    if overrides.isEmpty {
      try files.remove(StorePrices.overridesName)
    } else {
      try files.replace(StorePrices.overridesName, with: overrides.json.pretty + [0x0A])
    }
    StandardOutput.note("tapedeck: took back the price of \(provider)/\(model)")
  }
}
