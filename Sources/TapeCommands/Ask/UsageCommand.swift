internal import ArgumentParser
internal import TapeJSON
internal import TapePricing
internal import TapeQuery
internal import TapeTypes

/// `tapedeck usage`
struct UsageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage", abstract: "Tokens, cost, errors and latency, summed.",
    discussion: """
      With --against, days and models are compared with a bill: a CSV file with the columns day, model, tokens and \
      usd. Differences are ours less the bill's.

      Example: tapedeck usage --by identity,model --from 2026-11-01 --totals
      Example: tapedeck usage --against bill.csv --from 2026-11-01
      """
  ).underRoot

  @Option(
    help: ArgumentHelp(
      "What to split by: identity, thread, tag, deployment, model, provider, state, trace, meta:KEY, hour, day, month; "
        + "several with commas (default: model).", valueName: "dimensions"))
  var by: String?
  @Flag(help: "A last row with the sums over all calls.") var totals = false
  @Option(help: "Only the groups with the highest cost.") var top: Int?
  @Option(help: ArgumentHelp("Compare with a bill.", valueName: "bill.csv")) var against: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Exit with 2 if the calls cost more than so many USD.", valueName: "usd"))
  var budget: String?
  @OptionGroup var filters: FilterOptions
  @OptionGroup var end: EndOption
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func validate() throws {
    if let top, top < 1 { throw ValidationError("--top takes a number from 1") }
    if against != nil, by != nil || top != nil {
      throw ValidationError("--against compares by day and model: it goes with filters, not with --by or --top")
    }
  }

  func run() throws {
    let limit = try budget.map(Self.amount)
    let dimensions = try UsageDimension.list(parsing: by ?? "model")
    let filter = try filters.filter(to: end.to)
    let zone = try filters.timeZone()
    let bill = try against.map { try Bill(csv: TrustFiles.read($0, "bill"), name: $0) }
    let asking = try Asking(store)
    let answer: UsageAnswer
    if let bill {
      let comparison = try asking.engine.compare(filter, with: bill, timeZone: zone)
      answer = comparison.usage
      try report(comparison)
    } else {
      answer = try asking.engine.usage(filter, by: dimensions, timeZone: zone, totals: totals, top: top)
      try report(answer, dimensions, asking)
    }
    UsageNotes(answer).print(isTable: isTable)
    if let limit { try check(limit, answer) }
  }

  private var isTable: Bool { format.resolved == .table || format.resolved == .markdown }

  private func report(_ answer: UsageAnswer, _ dimensions: [UsageDimension], _ asking: Asking) throws {
    let rows = answer.rows
    guard answer.calls > 0 else { throw Asking.nothing("no call matches") }
    let names = isTable ? try asking.engine.identityNames(rows.values(of: .identity).compactMap { $0 }) : [:]
    UsageTable(dimensions: dimensions, names: names).print(rows, format.resolved)
  }

  private func report(_ comparison: BillComparison) throws {
    guard !comparison.rows.isEmpty else { throw Asking.nothing("no call matches, and the bill has no line") }
    BillTable().print(comparison.rows, format.resolved)
    for names in comparison.otherNames {
      let ours = TerminalText.escaped(names.ours.joined(separator: ", "))
      StandardOutput.note("tapedeck: \(TerminalText.escaped(names.bill)) of the bill stands for \(ours)")
    }
    let rows = comparison.rows.count - 1
    StandardOutput.note("tapedeck: \(comparison.differing) of \(rows) days and models differ")
  }

  private static func amount(_ text: String) throws -> DecimalNumber {
    guard let amount = DecimalNumber(text), amount >= .zero else {
      throw TapeError(.usage, "--budget takes USD such as 5.00, not '\(text)'")
    }
    return amount
  }

  /// - Throws: exit code 2 if more was spent.
  private func check(_ limit: DecimalNumber, _ answer: UsageAnswer) throws {
    let spent = answer.cost ?? .zero
    let count = answer.unpricedCalls
    let rest = count == 0 ? "" : "; at least that, as \(count) \(count == 1 ? "call" : "calls") could not be priced"
    guard spent > limit else {
      if count > 0 { StandardOutput.note("tapedeck: within the budget of \(limit) USD: \(spent) USD\(rest)") }
      return
    }
    StandardOutput.note("tapedeck: over the budget of \(limit) USD: \(spent) USD\(rest)")
    throw ExitCode(2)
  }
}

/// What people should know of a sum beside the sum.
private struct UsageNotes {
  let answer: UsageAnswer

  init(_ answer: UsageAnswer) { self.answer = answer }

  /// - Parameter isTable: programs have it in their rows.
  func print(isTable: Bool) {
    for model in answer.unpricedModels.prefix(3) {
      let calls = model.calls == 1 ? "call" : "calls"
      // Names as they were recorded: in one line.
      let why = TerminalText.escaped("\(model.name): \(model.why)")
      StandardOutput.note("tapedeck: no cost for \(model.calls) \(calls) of \(why)")
    }
    let more = answer.unpricedModels.count - 3
    if more > 0 { StandardOutput.note("tapedeck: … nor for those of \(more) more \(more == 1 ? "model" : "models")") }
    if !answer.unpricedModels.isEmpty {
      StandardOutput.note("tapedeck: give a price with: tapedeck prices set PROVIDER MODEL --input USD --output USD")
    }
    if isTable, !answer.notInUsage.isEmpty {
      let names = answer.notInUsage.joined(separator: ", ")
      StandardOutput.note("tapedeck: some of these models also bill for what a usage does not tell: \(names)")
    }
  }
}
