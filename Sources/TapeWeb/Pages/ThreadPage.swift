internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  /// So many calls of a thread are on a page.
  private static let threadCallsAtOnce = 100

  func thread(_ request: WebRequest) async throws -> Response {
    let items = request.query.filled
    try items.check(known: ["id", "from"])
    guard let id = try items.one("id") else { throw WebError.field("id", "id names the thread") }
    let from = try items.number("from", 0...Int.max) ?? 0
    return try await page("thread", title: "Thread \(VisibleText.escaped(id))") { engine in
      var page = ThreadPage(id: id, from: from, most: Self.threadCallsAtOnce)
      try engine.thread(id) { call in page.add(call) }
      return page.data
    }
  }
}

/// A conversation: what is new in each call, with the cost so far.
struct ThreadPage {
  let id: String
  let from: Int
  let most: Int
  private var calls: [PageData] = []
  private var count = 0
  private var running: JSONValue?

  init(id: String, from: Int, most: Int) {
    self.id = id
    self.from = from
    self.most = most
  }

  mutating func add(_ call: ThreadCall) {
    defer { count += 1 }
    running = call.json?["running"] ?? running
    guard count >= from, count < from + most else { return }
    var data = PageData(["number": String(count + 1), "id": call.id.description])
    data["href"] = Links.call(call.id.description)
    data["damage"] = call.damage
    if let json = call.json { fill(&data, json) }
    calls.append(data)
  }

  private func fill(_ data: inout PageData, _ call: JSONValue) {
    let state = call["state"]?.string ?? ""
    data["state"] = StateMark.words(state)
    data["stateStyle"] = StateMark.style(state)
    data["started"] = Show.time(call["started_at"])
    data["model"] = call.at("model")?.string
    data["deployment"] = call.at("deployment")?.string
    data["history"] = Self.words(call["history"]?.string)
    data["tokens"] = Show.count(call.at("usage", "total_tokens"))
    data["cost"] = Show.usd(call.at("cost", "total_usd"))
    data["runningTokens"] = Show.count(call.at("running", "total_tokens"))
    data["runningCost"] = Show.usd(call.at("running", "cost_usd"))
    data["error"] = call.at("error", "message")?.shown
    data[list: "changes"] = (call["changes"]?.array ?? []).map { change in
      var data = PageData()
      data["kind"] = change["kind"]?.string
      data["role"] = change.at("role")?.string
      data[lines: "before"] = change.at("before")?.string.map(Self.cut)
      data[lines: "after"] = change.at("after")?.string.map(Self.cut)
      return data
    }
    data[list: "messages"] = (call["messages"]?.array ?? []).map { message in
      var data = PageData()
      data["role"] = message.at("role")?.string ?? "request"
      data[html: "content"] = message.at("content")?.string.flatMap { $0.isEmpty ? nil : Markdown.html(Self.cut($0)) }
      data[list: "tools"] = Self.tools(message)
      return data
    }
    data[list: "answers"] = (call["choices"]?.array ?? []).map { choice in
      var data = PageData()
      let text = choice.at("content")?.string ?? choice.at("refusal")?.string
      data[html: "content"] = text.map { Markdown.html(Self.cut($0)) }
      data[html: "reasoning"] = choice.at("reasoning")?.string.map { Markdown.html(Self.cut($0)) }
      data[list: "tools"] = Self.tools(choice)
      return data
    }
  }

  private static func tools(_ message: JSONValue) -> [PageData] {
    (message["tool_calls"]?.array ?? []).map { tool in
      var data = PageData()
      data["name"] = tool.at("name")?.shown
      data[lines: "arguments"] = tool.at("arguments")?.shown.map(cut)
      return data
    }
  }

  /// What is longer is on the page of the call.
  private static func cut(_ text: String) -> String {
    text.utf8.count <= 8_000 ? text : String(text.unicodeScalars.prefix(8_000)) + " …"
  }

  private static func words(_ history: String?) -> String? {
    switch history {
    case "retry": "asked again: the messages are those of the call before"
    case "branch": "goes on from an earlier call"
    case "truncated": "the oldest messages are left out"
    case "edited": "the history was edited"
    case "not_resent": "without the conversation before"
    default: nil
    }
  }

  var data: PageData {
    var data = PageData(["id": id, "count": count == 1 ? "1 call" : "\(Show.count(count)) calls"])
    data["tokens"] = Show.count(running?.at("total_tokens"))
    data["cost"] = Show.usd(running?.at("cost_usd"))
    let unknown = (running?["calls_without_usage"]?.integer ?? 0) + (running?["calls_without_price"]?.integer ?? 0)
    data["unknown"] = unknown > 0 ? Show.count(unknown) : nil
    data["list"] = Links.calls([("thread", id)])
    data["usage"] = "/usage?thread=\(URLText.encoded(id))&age=all"
    data["api"] = "/api/v1/threads/\(URLText.encoded(id))"
    data[list: "calls"] = calls
    data["before"] = from > 0 ? "\(Links.thread(id))&from=\(max(0, from - most))" : nil
    data["behind"] = from + most < count ? "\(Links.thread(id))&from=\(from + most)" : nil
    return data
  }
}
