internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func diff(_ request: WebRequest) async throws -> Response {
    let items = request.query.filled
    try items.check(known: ["a", "b"])
    guard let a = try items.one("a"), let b = try items.one("b") else {
      return Templates.page("diff", title: "Compare two calls", section: "calls", DiffPage.empty(items))
    }
    return try await page("diff", title: "Compare two calls") { engine in
      DiffPage(value: try engine.diff(a, b)).data
    }
  }
}

/// Two generations beside each other.
struct DiffPage {
  /// So much of what is the same on both sides is shown around a difference.
  private static let mostSame = 600

  let value: JSONValue

  /// The form alone.
  static func empty(_ items: QueryItems) -> PageData {
    var data = PageData()
    data["a"] = items.all("a").first
    data["b"] = items.all("b").first
    data[flag: "hasResult"] = false
    return data
  }

  var data: PageData {
    var data = PageData()
    data[flag: "hasResult"] = true
    for side in ["a", "b"] {
      let id = value.at(side, "call_id")?.string ?? ""
      data[side] = id
      data["\(side)Href"] = Links.call(id)
    }
    data[flag: "isSame"] = value["same"]?.bool == true
    data["swapped"] = "/diff?a=\(value.at("b", "call_id")?.string ?? "")&b=\(value.at("a", "call_id")?.string ?? "")"
    let differs = (value.at("request", "differs")?.array ?? []).compactMap(\.string)
    data["requestDiffers"] = differs.isEmpty ? nil : differs.joined(separator: ", ")
    data[list: "facts"] = facts
    data[list: "measures"] = measures
    data[list: "choices"] = (value["choices"]?.array ?? []).map(choice)
    data[list: "histogram"] = histogram
    return data
  }

  private var facts: [PageData] {
    [
      ("Started", "started_at"), ("State", "state"), ("Deployment", "deployment"), ("Model", "model"),
      ("Provider", "provider"), ("Identity", "identity_id"), ("Thread", "thread_id"),
    ].map { name, key in
      let (a, b) = (value.at("a", key), value.at("b", key))
      func shown(_ item: JSONValue?) -> String {
        (key == "started_at" ? Show.time(item) : key == "state" ? item?.string.map(StateMark.words) : item?.shown)
          ?? "–"
      }
      var row = PageData(["name": name, "a": shown(a), "b": shown(b)])
      row[flag: "differs"] = a != b && key != "started_at"
      return row
    }
  }

  private var measures: [PageData] {
    var rows: [PageData] = []
    func add(_ name: String, _ a: String?, _ b: String?, _ difference: String?) {
      guard a != nil || b != nil else { return }
      rows.append(PageData(["name": name, "a": a ?? "–", "b": b ?? "–", "difference": difference ?? "–"]))
    }
    for (name, key) in [
      ("Prompt tokens", "prompt_tokens"), ("Completion tokens", "completion_tokens"), ("Total tokens", "total_tokens"),
      ("Cached tokens", "cached_tokens"), ("Reasoning tokens", "reasoning_tokens"),
    ] {
      add(
        name, Show.count(value.at("usage", "a", key)), Show.count(value.at("usage", "b", key)),
        value.at("usage", "difference", key)?.integer.map { ($0 > 0 ? "+" : "") + Show.count($0) })
    }
    add(
      "Cost", Show.usd(value.at("cost", "a_usd")), Show.usd(value.at("cost", "b_usd")),
      Show.usd(value.at("cost", "difference_usd")).map { $0.hasPrefix("−") || $0 == "$0" ? $0 : "+\($0)" })
    let times = [
      ("timings", "First content", "first_content_ms"), ("timings", "Took", "duration_ms"),
      ("timings", "Longest gap", "longest_gap_ms"), ("gaps", "Gap p50", "p50_ms"), ("gaps", "Gap p95", "p95_ms"),
      ("gaps", "Gap p99", "p99_ms"),
    ]
    for (group, name, key) in times {
      let difference = Show.number(value.at(group, "difference", key))
      add(
        name, Show.duration(value.at(group, "a", key)), Show.duration(value.at(group, "b", key)),
        difference.map { ($0 > 0 ? "+" : "") + Show.duration($0) })
    }
    return rows
  }

  private func choice(_ choice: JSONValue) -> PageData {
    var data = PageData(["index": choice["index"]?.shown ?? ""])
    for key in ["content", "reasoning", "refusal"] {
      data[html: key] = choice.at(key)?["parts"].map(parts)
    }
    data["words"] = words(choice.at("content"))
    data["finishA"] = choice.at("finish_reason", "a")?.shown ?? "–"
    data["finishB"] = choice.at("finish_reason", "b")?.shown ?? "–"
    data[list: "tools"] = (choice["tool_calls"]?.array ?? []).map { tool in
      var data = PageData(["op": tool["op"]?.string ?? "", "name": tool.at("name")?.shown ?? ""])
      data[html: "arguments"] = tool.at("arguments", "parts").map(parts)
      return data
    }
    return data
  }

  private func words(_ text: JSONValue?) -> String? {
    guard let text else { return nil }
    return
      "\(Show.count(text["words_same"]) ?? "0") words the same, \(Show.count(text["words_removed"]) ?? "0") only in A, "
      + "\(Show.count(text["words_added"]) ?? "0") only in B"
  }

  private func parts(_ parts: JSONValue) -> HTML {
    var html = HTML("")
    let all = parts.array ?? []
    for (place, part) in all.enumerated() {
      let text = part["text"]?.string ?? ""
      switch part["op"]?.string {
      case "added": html += HTML("<ins>\(HTML(escaping: Show.cut(text, to: 50_000), keepingLines: true).text)</ins>")
      case "removed": html += HTML("<del>\(HTML(escaping: Show.cut(text, to: 50_000), keepingLines: true).text)</del>")
      default: html += same(text, isFirst: place == 0, isLast: place == all.count - 1)
      }
    }
    return html
  }

  private func same(_ text: String, isFirst: Bool, isLast: Bool) -> HTML {
    let scalars = text.unicodeScalars
    guard scalars.count > 2 * Self.mostSame else { return HTML(escaping: text, keepingLines: true) }
    let (head, tail) = (String(scalars.prefix(Self.mostSame)), String(scalars.suffix(Self.mostSame)))
    var html = isFirst ? HTML("") : HTML(escaping: head, keepingLines: true)
    html += HTML(
      " <span class=\"cut\">… \(Show.count(scalars.count - 2 * Self.mostSame)) characters the same …</span> ")
    if !isLast { html += HTML(escaping: tail, keepingLines: true) }
    return html
  }

  /// The times between frames, beside each other.
  private var histogram: [PageData] {
    let rows = value.at("gaps", "histogram")?.array ?? []
    let most = rows.reduce(1) { max($0, $1["a"]?.integer ?? 0, $1["b"]?.integer ?? 0) }
    return rows.filter { ($0["a"]?.integer ?? 0) + ($0["b"]?.integer ?? 0) > 0 }.map { row in
      var data = PageData()
      let (from, to) = (Show.number(row["from_ms"]) ?? 0, Show.number(row.at("to_ms")))
      data["range"] =
        to.map { "\(Show.plain(from, 0))–\(Show.plain($0, 0)) ms" } ?? "\(Show.plain(from, 0)) ms and more"
      for side in ["a", "b"] {
        let count = row[side]?.integer ?? 0
        data["\(side)Count"] = Show.count(count)
        data["\(side)Width"] = Show.plain(Double(count) / Double(most) * 100)
      }
      return data
    }
  }
}
