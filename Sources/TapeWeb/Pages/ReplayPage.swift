internal import Hummingbird
internal import TapeDialects
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func replay(_ request: WebRequest) async throws -> Response {
    let items = request.query.filled
    try items.check(known: ["t"])
    let start = try items.one("t")
    if let start, Double(start).map({ $0.isFinite && $0 >= 0 }) != true {
      throw WebError.field("t", "t takes seconds from the start of the call, such as 1.5, not '\(start)'")
    }
    let reference = request.segments[0]
    let page = try await desk.ask { engine -> (id: String, html: HTML) in
      let entry = try engine.resolve(reference)
      let call = try engine.recorded(entry)
      let shown = try engine.show(call, at: entry.location)
      return (entry.id.description, Templates.html("replay", ReplayPage(call: call, shown: shown).data))
    }
    if page.id != reference { return .redirect(to: Links.path(Links.replay(page.id), request.query)) }
    return Templates.frame(title: "Replay \(page.id.suffix(6))", section: "calls", scripts: ["replay.js"], page.html)
  }

  /// What the player plays: some thousand frames at a time, those that add something.
  func timeline(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["from"])
    let from = try request.query.number("from", 0...Int.max) ?? 0
    let reference = request.segments[0]
    let body = try await desk.ask { engine in
      Timeline(call: try engine.recorded(engine.resolve(reference))).json(from: from).compactString
    }
    return .text(.ok, "application/json", body)
  }
}

/// A call as it is played.
struct ReplayPage {
  let call: RecordedCall
  let shown: JSONValue

  var data: PageData {
    let id = call.open.id.description
    var data = PageData(["id": id, "call": Links.call(id), "timeline": "\(Links.call(id))/timeline"])
    let chart = GapChart(call: call)
    data[flag: "hasTimes"] = call.open.hasTimes && call.frameCount > 0
    data[html: "gapChart"] = chart.svg
    data["length"] = Show.plain(Double(chart.lengthNs) / 1e9, 6)
    data["lengthShown"] = Show.duration(Double(chart.lengthNs) / 1e6)
    let state = shown["state"]?.string ?? ""
    data["state"] = StateMark.words(state)
    data["stateStyle"] = StateMark.style(state)
    data["model"] = shown.at("model")?.string
    data["frames"] = Show.count(call.frameCount)
    data["ttft"] = Show.duration(shown.at("timings", "first_content_ms"))
    data["ttftSeconds"] = Show.number(shown.at("timings", "first_content_ms")).map { Show.plain($0 / 1000, 3) }
    data["longest"] = Show.duration(shown.at("timings", "longest_gap_ms"))
    data[list: "stalls"] = QueryEngine.stalls(of: call, atLeast: 500_000_000).prefix(20).map { stall in
      let seconds = Double(stall.offsetNs - stall.gapNs) / 1e9
      return PageData([
        "at": Show.duration(seconds * 1000), "gap": Show.duration(Double(stall.gapNs) / 1e6),
        "href": "?t=\(Show.plain(seconds, 3))", "seconds": Show.plain(seconds, 3),
      ])
    }
    let choice = shown["choices"]?.array?.first
    let text = choice?.at("content")?.string ?? choice?.at("refusal")?.string
    data[lines: "text"] = text.map { Show.cut($0, to: 100_000) }
    data[lines: "reasoning"] = choice?.at("reasoning")?.string.map { Show.cut($0, to: 100_000) }
    return data
  }
}

/// What each frame of a call added, and when.
struct Timeline {
  private static let framesAtOnce = 5_000

  let call: RecordedCall

  /// `{"frames":[[number, ns, kind, text, …]],"next":N|null,"length_ns":N}`; kinds are `r` reasoning, `c` content, `t` a
  /// tool call, `i` an image. Of several choices the first is played.
  func json(from first: Int) -> JSONValue {
    var texts = FrameTexts(of: call)
    let end = min(call.frameCount, first + Self.framesAtOnce)
    var frames: [JSONValue] = []
    var tool: Int?
    for index in 0..<max(end, 0) {
      let piece = texts.pieces(ofFrame: index).first { $0.choice == texts.choices.first }
      guard index >= first else { continue }
      var parts: [JSONValue] = [.int(index), .int(call.frameOffsetNs(index))]
      func add(_ kind: String, _ text: String) {
        parts += [.string(kind), .string(VisibleText.escaped(text, keepingLines: true))]
      }
      if let piece {
        if !piece.reasoning.isEmpty { add("r", piece.reasoning) }
        if !piece.content.isEmpty { add("c", piece.content) }
        for call in piece.tools {
          if let name = call.name { add("t", (tool == nil ? "" : "\n") + "→ \(name) ") }
          tool = call.index
          add("t", call.arguments)
        }
        for url in piece.imageURLs { add("i", withoutInlineMedia(url)) }
      }
      frames.append(.array(parts))
    }
    let length = max(call.frameOffsetsNs.last ?? 0, call.open.hasTimes ? call.end?.offsetNs ?? 0 : 0)
    return [
      "frames": .array(frames), "next": .int(end < call.frameCount ? end : nil), "length_ns": .int(length),
    ]
  }
}
