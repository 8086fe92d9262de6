internal import TapeJSON

/// The object of `show` as a page for people.
struct CallPage {
  let call: JSONValue

  init(_ call: JSONValue) { self.call = call }

  func print() {
    var lines: [String] = []
    head(&lines)
    request(&lines)
    for choice in call["choices"]?.array ?? [] { message(choice, &lines) }
    facts(&lines)
    StandardOutput.write(lines.joined(separator: "\n") + "\n")
  }

  private func text(_ path: String...) -> String? {
    guard let value = path.reduce(Optional(call), { $0?[$1] }), !value.isNull else { return nil }
    return TerminalText.escaped(Column.plain(value))
  }

  private func row(_ name: String, _ value: String?, _ lines: inout [String]) {
    if let value { lines.append(TerminalText.padded(name, to: 14) + value) }
  }

  private func title(_ text: String) -> String {
    StandardOutput.usesColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text
  }

  private func head(_ lines: inout [String]) {
    lines.append(title("call \(text("call_id") ?? "")"))
    row("state", state, &lines)
    row("started", text("started_at"), &lines)
    row("deployment", text("deployment"), &lines)
    row("model", text("model").map { "\($0) (\(text("provider") ?? "provider unknown"))" }, &lines)
    row("identity", text("identity_id"), &lines)
    row("thread", text("thread_id"), &lines)
    row("trace", text("trace_id").map { "\($0)  span \(text("span_id") ?? "–")" }, &lines)
    row("response", text("response_id"), &lines)
    row("error", text("error", "message"), &lines)
  }

  private var state: String {
    var parts = [text("state") ?? ""]
    if let status = text("http_status") { parts.append("HTTP \(status)") }
    if call["complete"]?.bool == false { parts.append("incomplete") }
    if call["mock"]?.bool == true { parts.append("mock") }
    return parts.joined(separator: ", ")
  }

  /// The messages as people read them; what else was sent in one line of JSON.
  private func request(_ lines: inout [String]) {
    guard let request = call["request"], !request.isNull else { return }
    lines += ["", title("request")]
    var rest: [JSONValue.Member] = []
    for member in request.members ?? [] {
      if ["prefix_messages", "messages", "input", "contents"].contains(member.key), let messages = member.value.array {
        for message in messages { lines.append(TerminalText.escaped(Self.line(of: message), keepingLines: true)) }
      } else {
        rest.append(member)
      }
    }
    let others = request.members == nil ? request : .object(rest)
    if others != .object([]) { lines.append(TerminalText.escaped(others.compactString)) }
  }

  /// `user: Hi`; parts that are no text as JSON.
  private static func line(of message: JSONValue) -> String {
    guard let role = message["role"]?.string, let content = message["content"] ?? message["parts"] else {
      return message.compactString
    }
    let parts = content.array ?? [content]
    let text = parts.map { $0.string ?? $0["text"]?.string ?? $0.compactString }.joined(separator: " ")
    let others = (message.members ?? []).filter { !["role", "content", "parts"].contains($0.key) }
    return "\(role): \(text)" + (others.isEmpty ? "" : " " + JSONValue.object(others).compactString)
  }

  private func message(_ choice: JSONValue, _ lines: inout [String]) {
    let index = Column.plain(choice["index"])
    let reason = choice["finish_reason"]?.string.map { ", finished: \(TerminalText.escaped($0))" } ?? ""
    lines += ["", title("choice \(index)\(reason)")]
    if let reasoning = choice["reasoning"]?.string {
      let shown = TerminalText.escaped(reasoning, keepingLines: true)
      lines.append(StandardOutput.usesColour ? "\u{1B}[2m\(shown)\u{1B}[0m" : "[reasoning] \(shown)")
    }
    if let content = choice["content"]?.string { lines.append(TerminalText.escaped(content, keepingLines: true)) }
    for tool in choice["tool_calls"]?.array ?? [] {
      lines.append(TerminalText.escaped("→ \(Column.plain(tool["name"]))(\(Column.plain(tool["arguments"])))"))
    }
    for url in choice["image_urls"]?.array ?? [] { lines.append(TerminalText.escaped("image \(Column.plain(url))")) }
  }

  private func facts(_ lines: inout [String]) {
    lines.append("")
    row("tokens", tokens, &lines)
    cost(&lines)
    row("timings", timings, &lines)
    row("archive", text("archive", "file").map { "\($0) at \(text("archive", "offset") ?? "–")" }, &lines)
    row("leaf", text("archive", "leaf_hash"), &lines)
    for defect in call["defects"]?.array ?? [] {
      let place = defect["frame"].flatMap { $0.isNull ? nil : " (frame \(Column.plain($0)))" } ?? ""
      row(
        "defect", TerminalText.escaped("\(Column.plain(defect["kind"])): \(Column.plain(defect["message"]))") + place,
        &lines)
    }
  }

  private var tokens: String {
    guard let usage = call["usage"], !usage.isNull else { return "unknown: the stream reported no usage" }
    let parts = [
      ("prompt", "prompt_tokens"), ("cached", "cached_tokens"), ("completion", "completion_tokens"),
      ("reasoning", "reasoning_tokens"), ("total", "total_tokens"),
    ]
    return parts.compactMap { name, key in usage[key].flatMap { $0.isNull ? nil : "\(name) \(Column.plain($0))" } }
      .joined(separator: ", ") + " (frame \(Column.plain(usage["frame"])))"
  }

  private func cost(_ lines: inout [String]) {
    guard let cost = call["cost"], let total = text("cost", "total_usd") else {
      row("cost", "unknown: \(text("cost_unknown", "message") ?? "–")", &lines)
      return
    }
    row("cost", "$\(total)" + CostBreakdown(cost, usage: call["usage"]).text, &lines)
    let version = "prices \(text("cost", "price_version") ?? "–")"
    row("price", text("cost", "price_model").map { "\($0), \(version)" } ?? version, &lines)
    for note in cost["notes"]?.array ?? [] { row("note", TerminalText.escaped(Column.plain(note)), &lines) }
  }

  private var timings: String {
    let parts = [
      ("first byte", "first_byte_ms"), ("first content", "first_content_ms"), ("took", "duration_ms"),
      ("longest gap", "longest_gap_ms"),
    ]
    let times = parts.compactMap { name, key in Column.duration(call["timings"]?[key]).map { "\(name) \($0)" } }
    return (times + ["\(text("timings", "frames") ?? "0") frames"]).joined(separator: ", ")
  }
}
