internal import TapeJSON
internal import TapeQuery

/// The objects of `thread` as a conversation for people, call by call.
struct ThreadPage {
  private let style: TerminalStyle
  private var numbers: [String: Int] = [:]
  private static let roleWidth = 13

  init(style: TerminalStyle = .standard) { self.style = style }

  mutating func print(_ call: JSONValue) {
    StandardOutput.write(lines(of: call).joined(separator: "\n") + "\n")
  }

  /// - Parameter call: the next call of the thread.
  mutating func lines(of call: JSONValue) -> [String] {
    let number = numbers.count + 1
    if let id = call["call_id"]?.string { numbers[id] = number }
    var lines = number > 1 ? [""] : []
    lines += head(call, number)
    if let note = note(call, number) {
      lines += TerminalLines.wrapped(note, to: style.columns - 2).map { "  " + style.yellow($0) }
    }
    for change in call["changes"]?.array ?? [] { lines += self.lines(ofChange: change) }
    if let inputs = call["inputs"]?.members, !inputs.isEmpty {
      let text = inputs.map { "\($0.key): \(Column.plain($0.value))" }.joined(separator: "\n")
      lines += block("inputs", text)
    }
    for message in call["messages"]?.array ?? [] { lines += self.lines(ofMessage: message) }
    for choice in call["choices"]?.array ?? [] { lines += self.lines(ofChoice: choice, call) }
    if let error = call["error"]?["message"]?.string {
      lines += style.block("error", titleWidth: Self.roleWidth, TerminalText.escaped(error))
        .map { style.red($0) }
    }
    lines += TerminalLines.wrapped(sums(call), to: style.columns - 2).map { "  " + style.dim($0) }
    return lines
  }

  private func block(_ title: String, _ text: String) -> [String] {
    style.block(
      TerminalText.truncated(TerminalText.escaped(title), to: Self.roleWidth - 1), titleWidth: Self.roleWidth,
      TerminalText.escaped(text, keepingLines: true))
  }

  /// In two lines where one is not enough.
  private func head(_ call: JSONValue, _ number: Int) -> [String] {
    let started = Column.plain(call["started_at"]).prefix(19).split(separator: "T").joined(separator: " ")
    let names = ["deployment", "model", "identity_id"].compactMap { call[$0]?.string }
    var parts = ["#\(number)", started] + names
    if call["mock"]?.bool == true { parts.append("mock") }
    let text = TerminalText.escaped(parts.joined(separator: "  "))
    let state = call["state"]?.string.flatMap { $0 == "done" ? nil : TerminalText.escaped($0) }
    let id =
      style.bold(TerminalText.escaped(Column.plain(call["call_id"]))) + (state.map { "  " + style.red($0) } ?? "")
    let width = TerminalText.width(text) + 28 + (state.map { $0.utf8.count + 2 } ?? 0)
    if width <= style.columns { return [style.bold(text) + "  " + id] }
    return [style.bold(TerminalText.truncated(text, to: style.columns)), "  " + id]
  }

  /// What the request does with the conversation so far, where that is not just going on.
  private func note(_ call: JSONValue, _ number: Int) -> String? {
    let base = call["since"]?.string.flatMap { numbers[$0] } ?? number - 1
    let since = base == number - 1 ? "the call before" : "call #\(base)"
    var parts: [String] = []
    switch call["history"]?.string {
    case "retry": parts.append("asked again: the messages are those of \(since)")
    case "branch": parts.append("goes on from \(since)")
    case "truncated": parts.append("the oldest messages are not sent any more")
    case "edited": parts.append("the history was edited")
    default: break
    }
    if call["overlaps"]?.bool == true { parts.append("started before the one before had ended") }
    return parts.isEmpty ? nil : "~ " + parts.joined(separator: "; ")
  }

  private func lines(ofChange change: JSONValue) -> [String] {
    let role = change["role"]?.string ?? "message"
    let (before, after) = (change["before"]?.string ?? "", change["after"]?.string ?? "")
    switch change["kind"]?.string {
    case "edited":
      let shown = DiffText(TextDiff(before, after), style: style).text
      return style.block("~ " + clipped(role), titleWidth: Self.roleWidth, shown)
    case "removed":
      let line = TerminalText.truncated(TerminalText.escaped(before), to: style.columns - Self.roleWidth - 2)
      return ["  " + style.dim(TerminalText.padded("- " + clipped(role), to: Self.roleWidth)) + style.red(line)]
    default: return block("+ " + role, after)
    }
  }

  private func clipped(_ role: String) -> String {
    TerminalText.truncated(TerminalText.escaped(role), to: Self.roleWidth - 3)
  }

  private func lines(ofMessage message: JSONValue) -> [String] {
    let role = message["role"]?.string ?? "request"
    var lines: [String] = []
    if let content = message["content"]?.string, !content.isEmpty { lines += block(role, content) }
    for tool in message["tool_calls"]?.array ?? [] { lines += block(lines.isEmpty ? role : "", Self.line(of: tool)) }
    return lines
  }

  private static func line(of tool: JSONValue) -> String {
    "→ \(Column.plain(tool["name"]))(\(Column.plain(tool["arguments"])))"
  }

  private func lines(ofChoice choice: JSONValue, _ call: JSONValue) -> [String] {
    let isOne = call["choices"]?.array?.count == 1
    let role = choice["role"]?.string ?? "assistant"
    var title = isOne ? role : "choice \(Column.plain(choice["index"]))"
    var lines: [String] = []
    func add(_ more: [String]) {
      lines += more
      title = ""
    }
    if let reasoning = choice["reasoning"]?.string, !reasoning.isEmpty {
      let label = style.isColoured ? "" : "[reasoning] "
      add(block(title, label + reasoning).map { style.dim($0) })
    }
    if let text = choice["content"]?.string ?? choice["refusal"]?.string, !text.isEmpty { add(block(title, text)) }
    for tool in choice["tool_calls"]?.array ?? [] { add(block(title, Self.line(of: tool))) }
    for url in choice["image_urls"]?.array ?? [] { add(block(title, "image \(Column.plain(url))")) }
    return lines
  }

  /// `36 + 20 tokens, $0.0003 · so far 56 tokens, $0.0003`
  private func sums(_ call: JSONValue) -> String {
    var parts: [String] = []
    if let usage = call["usage"], !usage.isNull {
      parts.append("\(Column.plain(usage["prompt_tokens"])) + \(Column.plain(usage["completion_tokens"])) tokens")
      let why = call["cost_unknown"]?["reason"]?.string
      let cost = call["cost"]?["total_usd"]?.string.map { "$\($0)" }
      parts.append(cost ?? "cost unknown" + (why.map { " (\(Self.words($0)))" } ?? ""))
    } else {
      parts.append(call["state"] == "open" ? "not over yet" : "usage unknown")
    }
    let running = call["running"]
    var sum: [String] = []
    if let tokens = running?["total_tokens"], !tokens.isNull { sum.append("\(Column.plain(tokens)) tokens") }
    if let cost = running?["cost_usd"]?.string { sum.append("$\(cost)") }
    let unknown = (running?["calls_without_usage"]?.integer ?? 0) + (running?["calls_without_price"]?.integer ?? 0)
    if unknown > 0 { sum.append("\(unknown) \(unknown == 1 ? "call" : "calls") without figures") }
    return TerminalText.escaped(parts.joined(separator: ", ")) + " · so far " + sum.joined(separator: ", ")
  }

  private static func words(_ reason: String) -> String { reason.split(separator: "_").joined(separator: " ") }
}
