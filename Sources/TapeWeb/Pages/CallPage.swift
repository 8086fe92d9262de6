internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TapeArchive
internal import TapeDialects
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  /// A call that is shown, and how.
  struct CallQuestion: Sendable {
    static let framesAtOnce = 200
    let reference: String
    /// The first frame of the table.
    let frame: Int
    /// Show texts as they came instead of as Markdown.
    let isSource: Bool
    /// Long texts whole.
    let isFull: Bool
    let verifies: Bool

    init(_ request: WebRequest) throws {
      let items = request.query.filled
      try items.check(known: ["frame", "view", "full", "verify"])
      reference = request.segments[0]
      frame = try items.number("frame", 0...Int.max) ?? 0
      let view = try items.one("view")
      guard [nil, "source", "rendered"].contains(view) else {
        throw WebError.field("view", "view takes rendered or source")
      }
      isSource = view == "source"
      isFull = try items.flag("full")
      verifies = try items.flag("verify")
    }
  }

  func call(_ request: WebRequest) async throws -> Response {
    let question = try CallQuestion(request)
    let page = try await desk.ask { engine -> (id: String, html: HTML) in
      let entry = try engine.resolve(question.reference)
      let call = try engine.recorded(entry)
      let shown = try engine.show(call, at: entry.location)
      var verdict: JSONValue?
      if question.verifies { verdict = try Verifier(store: engine.store).run(call: entry.id).json }
      let neighbours = try Neighbours(of: entry, shown, engine)
      let page = CallPage(
        call: call, shown: shown, question: question, verdict: verdict, damage: engine.damage(of: call),
        neighbours: neighbours)
      return (entry.id.description, Templates.html("call", page.data))
    }
    if page.id != question.reference { return .redirect(to: Links.path(Links.call(page.id), request.query)) }
    return Templates.frame(title: "Call \(page.id.suffix(6))", section: "calls", page.html)
  }
}

/// A call: what was asked, what was answered, what it took.
struct CallPage {
  /// So much of a text is shown at first.
  static let mostText = 20_000

  let call: RecordedCall
  let shown: JSONValue
  let question: Pages.CallQuestion
  let verdict: JSONValue?
  let damage: String?
  let neighbours: Neighbours

  var id: String { call.open.id.description }

  var data: PageData {
    var data = PageData(["id": id, "href": Links.call(id), "replay": Links.replay(id)])
    head(&data)
    let request = RequestView(call: call, shown: shown, text: text)
    data[list: "request"] = request.messages
    data[lines: "otherRequest"] = request.rest.map { Show.cut($0, to: 100_000) }
    data[list: "choices"] = (shown["choices"]?.array ?? []).map(choice)
    data[list: "attachments"] = Pages.media(of: call).map { medium in
      PageData([
        "type": medium.type, "size": Show.bytes(medium.bytes.count), "digest": medium.digest,
        "href": "\(Links.call(id))/media/\(medium.digest)",
      ])
    }
    data[list: "retrievals"] = (shown["retrievals"]?.array ?? []).map { item in
      var data = PageData()
      data["name"] = item.at("metadata", "file_name")?.shown
      data["score"] = item.at("metadata", "search_score")?.shown
      data[lines: "text"] = item["document"]?.shown.map { Show.cut($0, to: Self.mostText) }
      return data
    }
    data[list: "defects"] = (shown["defects"]?.array ?? []).prefix(200).map { defect in
      var data = PageData()
      data["kind"] = defect["kind"]?.string
      data["message"] = defect["message"]?.string.map { Show.cut($0, to: 500) }
      data["frame"] = defect["frame"]?.shown
      data["frameHref"] = defect.at("frame").flatMap(\.integer).map { Links.call(id) + "?frame=\($0)#frames" }
      return data
    }
    bill(&data)
    integrity(&data)
    FrameTable(call: call, first: question.frame).fill(&data)
    data[lines: "curl"] = CurlCommand(call: call).text
    data[lines: "extra"] = shown.at("extra").flatMap { extra in
      extra == .object([]) ? nil : Show.cut(String(decoding: extra.pretty, as: UTF8.self), to: 100_000)
    }
    let base = Links.call(id)
    data["otherView"] = question.isSource ? base : base + "?view=source"
    data["otherViewName"] = question.isSource ? "Show formatted" : "Show source"
    return data
  }

  private func head(_ data: inout PageData) {
    let state = shown["state"]?.string ?? ""
    data["state"] = StateMark.words(state)
    data["stateStyle"] = StateMark.style(state)
    data["status"] = shown.at("http_status")?.shown
    data[flag: "isIncomplete"] = shown["complete"]?.bool == false
    data[flag: "isMock"] = shown["mock"]?.bool == true
    data[flag: "isOpen"] = state == CallState.open.rawValue
    data["started"] = Show.time(shown["started_at"])
    data["startedExact"] = shown["started_at"]?.string
    data["error"] = shown.at("error", "message")?.shown
    data["errorFrame"] = shown.at("error", "frame")?.shown
    data["damage"] = damage
    for key in ["deployment", "model", "provider", "identity_id", "thread_id", "trace_id", "span_id", "response_id"] {
      data[key] = shown.at(key)?.shown
    }
    data["modelHref"] = shown.at("model")?.string.map { Links.calls([("model", $0)]) }
    data["deploymentHref"] = shown.at("deployment")?.string.map { Links.calls([("deployment", $0)]) }
    data["identityHref"] = shown.at("identity_id")?.string.map { Links.calls([("identity", $0)]) }
    data["threadHref"] = shown.at("thread_id")?.string.map(Links.thread)
    data["traceHref"] = shown.at("trace_id")?.string.map(Links.trace)
    data[list: "tags"] = (shown["thread_tags"]?.array ?? []).compactMap(\.string).map { tag in
      PageData(["name": tag, "href": Links.calls([("tag", tag)])])
    }
    data["older"] = neighbours.older.map(Links.call)
    data["newer"] = neighbours.newer.map(Links.call)
    data["diff"] = neighbours.alike.map { "/diff?a=\($0)&b=\(id)" }
    data["api"] = "/api/v1/calls/\(id)"
  }

  // MARK: What was answered

  private func choice(_ choice: JSONValue) -> PageData {
    var data = PageData()
    data["index"] = choice["index"]?.shown
    data["finish"] = choice.at("finish_reason")?.shown
    data["role"] = choice.at("role")?.shown
    data[html: "content"] = choice.at("content")?.string.map(text)
    data[html: "refusal"] = choice.at("refusal")?.string.map(text)
    data[html: "reasoning"] = choice.at("reasoning")?.string.map(text)
    data["signature"] = choice.at("reasoning_signature")?.shown
    data["redacted"] = choice.at("redacted_reasoning")?.shown.map { "\($0.utf8.count) bytes of redacted reasoning" }
    data[list: "tools"] = (choice["tool_calls"]?.array ?? []).map { tool in
      var data = PageData()
      data["name"] = tool.at("name")?.shown
      data["id"] = tool.at("id")?.shown
      data[lines: "arguments"] = tool.at("arguments")?.string.map { Show.cut(Self.laidOut($0), to: Self.mostText) }
      return data
    }
    data[list: "images"] = (choice["image_urls"]?.array ?? []).map {
      PageData(["url": Show.cut($0.shown ?? "", to: 500)])
    }
    data[flag: "isEmpty"] =
      choice.at("content") == nil && choice.at("refusal") == nil && choice["tool_calls"]?.array?.isEmpty != false
      && choice["image_urls"]?.array?.isEmpty != false
    return data
  }

  /// A text as it is read: as Markdown, or as it came.
  func text(_ text: String) -> HTML {
    var cut = text
    var isCut = false
    if !question.isFull, text.utf8.count > Self.mostText {
      cut = String(text.unicodeScalars.prefix(Self.mostText))
      isCut = cut.utf8.count < text.utf8.count
    }
    // A layout is of no use for what nobody reads whole, and a source is what it is.
    var html =
      question.isSource || cut.utf8.count > 1 << 20
      ? HTML("<pre tabindex=\"0\" class=\"source\">") : Markdown.html(cut)
    if question.isSource || cut.utf8.count > 1 << 20 {
      html += HTML(escaping: cut, keepingLines: true)
      html += HTML("</pre>")
    }
    if isCut {
      let rest = Show.bytes(text.utf8.count - cut.utf8.count)
      html += HTML("<p class=\"note\">\(rest) more. <a href=\"\(Links.call(id))?full=true\">Show all of it</a></p>")
    }
    return html
  }

  /// JSON with its lines, other text as it is.
  private static func laidOut(_ text: String) -> String {
    guard text.utf8.count < 1 << 18, let value = try? JSONValue(parsing: text) else { return text }
    return String(decoding: value.pretty, as: UTF8.self)
  }

  // MARK: What it took

  private func bill(_ data: inout PageData) {
    data[list: "usage"] = [
      ("Prompt", "prompt_tokens"), ("of it cached", "cached_tokens"), ("Completion", "completion_tokens"),
      ("of it reasoning", "reasoning_tokens"), ("Total", "total_tokens"),
    ].compactMap { name, key in
      guard let count = Show.count(shown.at("usage", key)) else { return nil }
      var row = PageData(["name": name, "count": count])
      row[flag: "isPart"] = name.hasPrefix("of it")
      row[flag: "isTotal"] = name == "Total"
      return row
    }
    data["usageFrame"] = shown.at("usage", "frame")?.shown
    data["usageFrameHref"] = shown.at("usage", "frame")?.integer.map { "\(Links.call(id))?frame=\($0)#frames" }
    data["cost"] = Show.usd(shown.at("cost", "total_usd"))
    data["costExact"] = shown.at("cost", "total_usd")?.shown
    data["costUnknown"] = shown.at("cost_unknown", "message")?.shown
    data["priceModel"] = shown.at("cost", "price_model")?.shown
    data["priceVersion"] = shown.at("cost", "price_version")?.shown
    data[list: "costs"] = [
      ("Input", "input_usd"), ("Cached", "cached_usd"), ("Output", "output_usd"), ("Reasoning", "reasoning_usd"),
      ("Per request", "request_usd"),
    ].compactMap { name, key in
      guard let amount = shown.at("cost", key), let text = Show.usd(amount), text != "$0" || key == "input_usd" else {
        return nil
      }
      var row = PageData(["name": name, "amount": text])
      row["exact"] = amount.shown
      row["rate"] = shown.at("cost", "rates", key)?.shown.map { key == "request_usd" ? "$\($0) each" : "$\($0) / M" }
      return row
    }
    data[list: "costNotes"] = (shown.at("cost", "notes")?.array ?? []).map { PageData(["text": $0.shown ?? ""]) }
    data[list: "timings"] = [
      ("First byte", "first_byte_ms"), ("First frame", "first_frame_ms"), ("First content", "first_content_ms"),
      ("Took", "duration_ms"), ("Longest gap", "longest_gap_ms"),
    ].map { name, key in
      PageData(["name": name, "value": Show.duration(shown.at("timings", key)) ?? "–"])
    }
    data["frames"] = Show.count(call.frameCount)
    data["bytes"] = Show.bytes(call.raw.count)
  }

  private func integrity(_ data: inout PageData) {
    data["file"] = shown.at("archive", "file")?.shown
    data["offset"] = shown.at("archive", "offset")?.shown
    data["leaf"] = shown.at("archive", "leaf_hash")?.shown
    data[list: "redactions"] = call.open.redactions.map { PageData(["name": $0]) }
    data["verify"] = "\(Links.call(id))?verify=true#integrity"
    guard let verdict else { return }
    var result = PageData()
    result[flag: "isOK"] = verdict["ok"]?.bool == true
    result["place"] = verdict["place"]?.string
    result["leafNumber"] = verdict.at("leaf_number")?.shown
    result["treeSize"] = verdict.at("tree", "size")?.shown
    result["root"] = verdict.at("tree", "root")?.shown
    result[list: "damage"] = ((verdict["damage"]?.array ?? []) + (verdict["notes"]?.array ?? [])).map { item in
      PageData(["text": "\(item["file"]?.shown ?? ""): \(item["message"]?.shown ?? "")"])
    }
    data[part: "verdict"] = result
  }
}
