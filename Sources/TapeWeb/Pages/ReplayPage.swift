internal import Hummingbird
internal import TapeDialects
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func replay(_ request: WebRequest) async throws -> Response {
    let items = request.query.filled
    try items.check(known: ["t", "choice"])
    let start = try items.one("t")
    if let start, Double(start).map({ $0.isFinite && $0 >= 0 }) != true {
      throw WebError.field("t", "t takes seconds from the start of the call, such as 1.5, not '\(start)'")
    }
    let wanted = try items.number("choice", 0...Int.max)
    let reference = request.segments[0]
    let page = try await desk.ask { engine -> (id: String, html: HTML) in
      let entry = try engine.resolve(reference)
      let call = try engine.recorded(entry)
      let shown = try engine.show(call, at: entry.location)
      let choice = try Timeline(call: call).choice(wanted)
      return (entry.id.description, Templates.html("replay", ReplayPage(call: call, shown: shown, choice: choice).data))
    }
    if page.id != reference { return .redirect(to: Links.path(Links.replay(page.id), request.query)) }
    return Templates.frame(title: "Replay \(page.id.suffix(6))", section: "calls", scripts: ["replay.js"], page.html)
  }

  /// What the player plays: some thousand frames at a time, those that add something.
  func timeline(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["from", "choice"])
    let wanted = try request.query.number("choice", 0...Int.max)
    let from = try request.query.number("from", 0...Int.max) ?? 0
    let reference = request.segments[0]
    let body = try await desk.ask { engine in
      let timeline = Timeline(call: try engine.recorded(engine.resolve(reference)))
      return try timeline.json(from: from, choice: timeline.choice(wanted)).compactString
    }
    return .text(.ok, "application/json", body)
  }
}

/// A call as it is played.
struct ReplayPage {
  let call: RecordedCall
  let shown: JSONValue
  /// Which of several answers is played.
  let choice: Int?

  var data: PageData {
    let id = call.open.id.description
    var data = PageData(["id": id, "call": Links.call(id)])
    data["timeline"] = "\(Links.call(id))/timeline" + (choice.map { "?choice=\($0)" } ?? "")
    let choices = (shown["choices"]?.array ?? []).compactMap { $0["index"]?.integer }
    data[list: "choices"] = (choices.count > 1 ? choices : []).map { index in
      var option = PageData(["name": String(index), "href": "?choice=\(index)"])
      option[flag: "isChosen"] = index == choice
      return option
    }
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
        "href": "?\(choice.map { "choice=\($0)&" } ?? "")t=\(Show.plain(seconds, 3))",
        "seconds": Show.plain(seconds, 3),
      ])
    }
    let answer = shown["choices"]?.array?.first { $0["index"]?.integer == choice }
    let text = answer?.at("content")?.string ?? answer?.at("refusal")?.string
    data[lines: "text"] = text.map { Show.cut($0, to: 100_000) }
    data[lines: "reasoning"] = answer?.at("reasoning")?.string.map { Show.cut($0, to: 100_000) }
    return data
  }
}

/// What each frame of a call added, and when.
struct Timeline {
  private static let framesAtOnce = 5_000

  private let call: RecordedCall
  private let texts: FrameTexts

  init(call: RecordedCall) {
    self.call = call
    texts = FrameTexts(of: call)
  }

  /// The one that is asked for, else the first; nil for a call without any.
  ///
  /// - Throws: `WebError` 400 for one that there is not.
  func choice(_ wanted: Int?) throws -> Int? {
    let choices = texts.choices
    guard let wanted else { return choices.first }
    guard choices.contains(wanted) else {
      let known = choices.isEmpty ? "none" : choices.map(String.init).joined(separator: ", ")
      throw WebError.field("choice", "the call has no choice \(wanted); it has \(known)")
    }
    return wanted
  }

  /// `{"frames":[[number, ns, kind, text, …]],"next":N|null,"length_ns":N}`; kinds are `r` reasoning, `c` content, `t` a
  /// tool call, `i` an image.
  func json(from first: Int, choice: Int?) -> JSONValue {
    var texts = texts
    let end = min(call.frameCount, first + Self.framesAtOnce)
    var frames: [JSONValue] = []
    var tool: Int?
    for index in 0..<max(end, 0) {
      let piece = texts.pieces(ofFrame: index).first { $0.choice == choice }
      guard index >= first else { continue }
      var parts: [JSONValue] = [.int(index), .int(call.frameOffsetNs(index))]
      func add(_ kind: String, _ text: String) {
        parts += [.string(kind), .string(VisibleText.escaped(text, keepingLines: true))]
      }
      if let piece {
        if !piece.reasoning.isEmpty { add("r", piece.reasoning) }
        if !piece.content.isEmpty { add("c", withoutInlineMedia(piece.content)) }
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
