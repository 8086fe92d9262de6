internal import ArgumentParser
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck search`
struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Full text over prompts and completions, the match marked.",
    discussion: """
      Finds the words of the phrase side by side, in any script; case and accents do not matter. A * behind the last \
      word stands for any end of it.

      Example: tapedeck search 'refund polic*' --identity ada@example.com --from 7d
      """)

  @Argument(help: "The words to find, one behind the other.") var phrase: [String]
  @Option(help: "At most so many calls (default: 20 in a table, all elsewhere).") var limit: Int?
  @Option(help: ArgumentHelp("The order.", valueName: CallSort.allCases.map(\.rawValue).joined(separator: "|")))
  var sort: String = CallSort.newest.rawValue
  @Option(help: ArgumentHelp("Only those behind this call of the list: the next page.", valueName: "call"))
  var after: String?
  @OptionGroup var filters: FilterOptions
  @OptionGroup var end: EndOption
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1") }
    if phrase.joined().allSatisfy(\.isWhitespace) { throw ValidationError("search needs a word or a phrase") }
    if CallSort(rawValue: sort) == nil {
      throw ValidationError("--sort takes \(CallSort.allCases.map(\.rawValue).joined(separator: ", ")), not '\(sort)'")
    }
  }

  func run() throws {
    var filter = try filters.filter(to: end.to)
    filter.phrase = phrase.joined(separator: " ")
    let asking = try Asking(store)
    let format = format.resolved
    let limit = limit ?? (format == .table ? 20 : nil)
    var writer = RowWriter(RowPrinter(format: format, columns: Self.columns, csvColumns: Self.csvColumns))
    var found = 0
    var last = ""
    let place = try after.map(asking.engine.resolve)
    let page = SearchPage()
    try asking.engine.search(filter, sort: CallSort(rawValue: sort) ?? .newest, after: place, limit: limit) { call in
      if found == 0, format == .table { Pager.start() }
      found += 1
      last = call.names.first { $0.key == "call_id" }?.value.string ?? ""
      if format == .table { page.print(call) } else { writer.write(call.json) }
    }
    guard found > 0 else { throw Asking.nothing("no call has '\(filter.phrase ?? "")'") }
    if format == .table, found == limit {
      StandardOutput.note("tapedeck: \(found) calls; the next ones: --after \(last)")
    }
    if format != .table { writer.finish() }
  }

  private static let csvColumns = [
    "call_id", "started_at", "state", "deployment", "model", "provider", "identity_id", "thread_id", "matches",
    "snippets",
  ]

  private static let columns = [
    Column("CALL", "call_id"), Column("STARTED", "started_at"), Column("DEPLOYMENT", "deployment"),
    Column("MODEL", "model"), Column("IDENTITY", "identity_id"), Column("THREAD", "thread_id"),
    Column("MATCHES", "matches", right: true),
    Column("TEXT") { row in
      (row["snippets"]?.array ?? []).map { "\(Column.plain($0["in"])): \(Column.plain($0["text"]))" }
        .joined(separator: " ")
    },
  ]
}

/// What people see of a search: a line for the call, and one for each text that has the phrase.
private struct SearchPage {
  private let isColoured = StandardOutput.usesColour
  private let width = StandardOutput.columns

  func print(_ call: FoundCall) {
    let names = JSONValue.object(call.names)
    let started = Column.plain(names["started_at"]).prefix(19).split(separator: "T").joined(separator: " ")
    let others = ["state", "deployment", "model", "identity_id", "thread_id"].compactMap { names[$0]?.string }
    let head = ([Column.plain(names["call_id"]), started] + others).joined(separator: "  ")
    let shown = TerminalText.escaped(head)
    StandardOutput.write(bold(width > 0 ? TerminalText.truncated(shown, to: width) : shown) + "\n")
    for snippet in call.snippets {
      StandardOutput.write("  \(TerminalText.padded(snippet.place.rawValue, to: 12))\(text(snippet))\n")
    }
  }

  private func bold(_ text: String) -> String { isColoured ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// In one line of the terminal.
  private func text(_ snippet: Snippet) -> String {
    var left = width > 0 ? max(20, width - 14) : Int.max
    var out = ""
    for part in fitted(snippet.parts, to: left) where left > 0 {
      let marks = part.isMatch ? (isColoured ? ("\u{1B}[1;7m", "\u{1B}[0m", 0) : ("⟦", "⟧", 2)) : ("", "", 0)
      let shown = TerminalText.truncated(TerminalText.escaped(part.text), to: left - marks.2)
      left -= TerminalText.width(shown) + marks.2
      out += marks.0 + shown + marks.1
    }
    return out
  }

  /// Without so much of what stands before the first match that it would have no room.
  private func fitted(_ parts: [(text: String, isMatch: Bool)], to columns: Int) -> [(text: String, isMatch: Bool)] {
    let widths = parts.map { TerminalText.width(TerminalText.escaped($0.text)) }
    guard widths.reduce(0, +) > columns, let match = parts.firstIndex(where: \.isMatch), match > 0 else { return parts }
    let before = TerminalText.escaped(parts[..<match].map(\.text).joined())
    let room = max(columns / 3, columns - widths[match...].reduce(2, +))
    return [(TerminalText.truncated(before, toLast: room), false)] + parts[match...]
  }
}
