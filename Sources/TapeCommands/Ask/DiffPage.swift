internal import TapeJSON
internal import TapeQuery

/// The object of `diff` for people.
struct DiffPage {
  private let value: JSONValue
  private let isFull: Bool
  private let style: TerminalStyle

  init(_ value: JSONValue, isFull: Bool, style: TerminalStyle = .standard) {
    self.value = value
    self.isFull = isFull
    self.style = style
  }

  /// One line of the table: what both calls have of something.
  struct Measure {
    var name: String
    var a: String
    var b: String
    var difference = ""

    var json: JSONValue {
      ["name": .string(name), "a": .string(a), "b": .string(b), "difference": .string(difference)]
    }
  }

  var lines: [String] {
    var lines = table(names, title: ("", "A", "B", ""))
    lines.append("")
    let differs = (value["request"]?["differs"]?.array ?? []).map { escaped($0) }
    lines += block("request", differs.isEmpty ? "the same" : "differs in \(differs.joined(separator: ", "))")
    let choices = value["choices"]?.array ?? []
    for choice in choices { lines += self.lines(ofChoice: choice, isOne: choices.count == 1) }
    if choices.isEmpty { lines += block("answer", "neither has one") }
    lines.append("")
    return lines + table(numbers, title: ("", "A", "B", "B − A")) + histogram
  }

  /// All lines of both tables.
  var measures: [Measure] { names + numbers }

  // MARK: Names

  private var names: [Measure] {
    let keys = [
      ("call", "call_id"), ("started", "started_at"), ("state", "state"), ("deployment", "deployment"),
      ("model", "model"), ("provider", "provider"), ("thread", "thread_id"), ("error", "error"),
    ]
    return keys.compactMap { name, key in
      func text(_ side: String) -> String {
        let value = value[side]?[key]
        if key == "started_at" { return String(Column.plain(value).prefix(23)) }
        return Column.plain(value?["message"] ?? value)
      }
      let (a, b) = (text("a"), text("b"))
      return a == "–" && b == "–" ? nil : Measure(name: name, a: a, b: b)
    }
  }

  // MARK: Texts

  private func block(_ title: String, _ text: String) -> [String] {
    style.block(title, titleWidth: 13, text, indent: 0)
  }

  private func lines(ofChoice choice: JSONValue, isOne: Bool) -> [String] {
    var lines: [String] = isOne ? [] : ["", style.bold("choice \(Column.plain(choice["index"]))")]
    for key in ["reasoning", "content", "refusal"] {
      if let text = choice[key], !text.isNull { lines += self.lines(ofText: text, key == "content" ? "text" : key) }
    }
    for tool in choice["tool_calls"]?.array ?? [] { lines += block("tool call", self.text(ofTool: tool)) }
    let images = ["a", "b"].map { choice["image_urls"]?[$0] ?? [] }
    if images != [[], []] {
      let texts = images.map { ($0.array ?? []).map { Column.plain($0) }.joined(separator: "\n") }
      let shown = DiffText(TextDiff(texts[0], texts[1]), style: style, context: nil).text
      lines += block("images", images[0] == images[1] ? "the same: \(shown)" : shown)
    }
    let (a, b) = (choice["finish_reason"]?["a"], choice["finish_reason"]?["b"])
    if a != b { lines += block("finished", "\(escaped(a)) | \(escaped(b))") }
    return lines
  }

  private func escaped(_ value: JSONValue?) -> String { TerminalText.escaped(Column.plain(value)) }

  private func lines(ofText text: JSONValue, _ title: String) -> [String] {
    let (same, removed, added) = (
      Column.plain(text["words_same"]), Column.plain(text["words_removed"]), Column.plain(text["words_added"])
    )
    if text["same"]?.bool == true {
      return block(title, style.dim("the same, \(same) \(same == "1" ? "word" : "words")"))
    }
    let coarse = text["coarse"]?.bool == true ? "; too different for a comparison of every word" : ""
    return block(title, style.dim("\(same) words the same, \(removed) only in A, \(added) only in B\(coarse)"))
      + block("", DiffText(TextDiff(text), style: style, context: isFull ? nil : 12).text)
  }

  private func text(ofTool tool: JSONValue) -> String {
    let name = escaped(tool["name"])
    func arguments(_ side: String) -> String { escaped(tool[side]?["arguments"]) }
    switch tool["op"]?.string {
    case "same": return "\(name)(\(arguments("a")))  " + style.dim("the same")
    case "removed": return style.isColoured ? style.red("\(name)(\(arguments("a")))") : "[-\(name)(\(arguments("a")))-]"
    case "added": return style.isColoured ? style.green("\(name)(\(arguments("b")))") : "{+\(name)(\(arguments("b")))+}"
    default:
      let shown = DiffText(TextDiff(tool["arguments"] ?? .null), style: style, context: isFull ? nil : 12).text
      return "\(name)(\(shown))"
    }
  }

  // MARK: Numbers

  private var numbers: [Measure] {
    let tokens = ["prompt", "cached", "completion", "reasoning", "total"].map { name in
      number("\(name) tokens", "usage", "\(name)_tokens")
    }
    let cost = Measure(
      name: "cost USD", a: Column.plain(value["cost"]?["a_usd"]), b: Column.plain(value["cost"]?["b_usd"]),
      difference: Self.signed(value["cost"]?["difference_usd"]?.string ?? "–"))
    let times = [
      ("first byte", "first_byte_ms"), ("first content", "first_content_ms"), ("took", "duration_ms"),
    ].map { duration($0.0, "timings", $0.1) }
    let frames = number("frames", "timings", "frames")
    let gaps = ["p50", "p90", "p95", "p99", "longest"].map { duration("gap \($0)", "gaps", "\($0)_ms") }
    return (tokens + [cost] + times + [frames] + gaps).filter { !($0.a == "–" && $0.b == "–") }
  }

  private func number(_ name: String, _ group: String, _ key: String) -> Measure {
    let sides = ["a", "b"].map { value[group]?[$0]?[key] }
    var measure = Measure(name: name, a: Column.plain(sides[0]), b: Column.plain(sides[1]), difference: "–")
    if let a = sides[0]?.integer, let b = sides[1]?.integer, !a.subtractingReportingOverflow(b).overflow {
      measure.difference = Self.signed(String(b - a))
    }
    return measure
  }

  private func duration(_ name: String, _ group: String, _ key: String) -> Measure {
    func text(_ side: String) -> String { value[group]?[side]?[key].flatMap { Column.duration($0) } ?? "–" }
    var difference = "–"
    if case .number(let number) = value[group]?["difference"]?[key] {
      let size = number.hasPrefix("-") ? String(number.dropFirst()) : number
      let shown = Column.duration(.number(size)) ?? "–"
      difference = shown == "0.0 ms" ? "0" : (number.hasPrefix("-") ? "−" : "+") + shown
    }
    return Measure(name: name, a: text("a"), b: text("b"), difference: difference)
  }

  private static func signed(_ text: String) -> String {
    if text.hasPrefix("-") { return "−" + text.dropFirst() }
    return text == "–" || text == "0" ? text : "+" + text
  }

  private func table(_ rows: [Measure], title: (String, String, String, String)) -> [String] {
    let all = [Measure(name: title.0, a: title.1, b: title.2, difference: title.3)] + rows
    let isNumeric = !title.3.isEmpty
    func width(_ text: (Measure) -> String, _ limit: Int) -> Int {
      all.reduce(0) { max($0, min(limit, TerminalText.width(TerminalText.escaped(text($1))))) }
    }
    let name = max(13, width(\.name, 20))
    let side = max(8, (style.columns - name - 4) / 2)
    let (a, b, difference) = (width(\.a, side), width(\.b, side), width(\.difference, 20))
    func cell(_ text: String, _ width: Int) -> String {
      let text = TerminalText.truncated(TerminalText.escaped(text), to: width)
      return TerminalText.padded(text, to: width, right: isNumeric)
    }
    return all.enumerated().map { index, row in
      let cells = [cell(row.a, a), cell(row.b, b)] + (isNumeric ? [cell(row.difference, difference)] : [])
      var line = cells.joined(separator: "  ")
      while line.hasSuffix(" ") { line.removeLast() }
      let name = TerminalText.padded(row.name, to: name)
      return index == 0 ? style.bold(name + line) : style.dim(name) + line
    }
  }

  // MARK: Gaps

  /// The gaps of both calls by their size: each bar is a share of the call's gaps.
  private var histogram: [String] {
    let buckets = value["gaps"]?["histogram"]?.array ?? []
    func count(_ bucket: JSONValue, _ side: String) -> Int { bucket[side]?.integer ?? 0 }
    let used = buckets.indices.filter { count(buckets[$0], "a") + count(buckets[$0], "b") > 0 }
    guard let first = used.first, let last = used.last else { return [] }
    let totals = ["a", "b"].map { side in max(1, buckets.reduce(0) { $0 + count($1, side) }) }
    let digits = String(totals.max() ?? 0).count
    let room = max(4, min(40, (style.columns - 13 - 2 * digits - 4) / 2))
    func bar(_ bucket: JSONValue, _ side: String, _ total: Int) -> String {
      let count = count(bucket, side)
      let length = count == 0 ? 0 : max(1, count * room / total)
      let number = TerminalText.padded(count == 0 ? "" : String(count), to: digits, right: true)
      return number + " " + TerminalText.padded(String(repeating: "█", count: length), to: room)
    }
    let title = TerminalText.padded("gaps, frames", to: 13)
    let heads = ["A", "B"].map { TerminalText.padded("", to: digits + 1) + TerminalText.padded($0, to: room + 1) }
    let rows = buckets[first...last].map { bucket -> String in
      let name = Self.name(of: bucket)
      var line = bar(bucket, "a", totals[0]) + " " + bar(bucket, "b", totals[1])
      while line.hasSuffix(" ") { line.removeLast() }
      return line.isEmpty ? style.dim(name) : style.dim(TerminalText.padded(name, to: 13)) + line
    }
    var head = title + heads.joined()
    while head.hasSuffix(" ") { head.removeLast() }
    return ["", style.bold(head)] + rows
  }

  private static func name(of bucket: JSONValue) -> String {
    func text(_ ms: Int) -> String { ms >= 1_000 ? "\(ms / 1_000) s" : "\(ms) ms" }
    let from = bucket["from_ms"]?.integer ?? 0
    guard let to = bucket["to_ms"]?.integer else { return "from \(text(from))" }
    if from == 0 { return "under \(text(to))" }
    let sameUnit = (from >= 1_000) == (to >= 1_000)
    return sameUnit ? "\(from >= 1_000 ? from / 1_000 : from)–\(text(to))" : "\(text(from))–\(text(to))"
  }
}
