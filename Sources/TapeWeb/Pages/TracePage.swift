internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func trace(_ request: WebRequest) async throws -> Response {
    let items = request.query.filled
    try items.check(known: ["id", "stalls"])
    guard let id = try items.one("id") else { throw WebError.field("id", "id names the trace") }
    let stalls = try items.one("stalls") ?? "500ms"
    let least = try items.duration("stalls", usually: stalls) ?? 0
    return try await page("trace", title: "Trace \(VisibleText.escaped(id))") { engine in
      TracePage(report: try engine.trace(id, stallNs: least), stalls: stalls).data
    }
  }
}

/// The calls of a trace as a waterfall.
struct TracePage {
  private static let mostLines = 1_000

  let report: TraceReport
  let stalls: String

  var data: PageData {
    var data = PageData(["id": report.traceID, "stalls": stalls])
    let spans = report.spans
    data["count"] = spans.count == 1 ? "1 call" : "\(Show.count(spans.count)) calls"
    data["length"] = Show.duration(Double(report.lengthNs) / 1e6)
    data["tokens"] = Show.count(report.totals.at("total_tokens"))
    data["cost"] = Show.usd(report.totals.at("cost_usd"))
    let failed = spans.count { $0.state.isError }
    data["failed"] = failed > 0 ? "\(failed) failed" : nil
    data["list"] = Links.calls([("trace", report.traceID)])
    data["api"] = "/api/v1/traces/\(URLText.encoded(report.traceID))"
    data[list: "ticks"] = (0...4).map { quarter in
      PageData(["text": Show.duration(Double(report.lengthNs) / 1e6 * Double(quarter) / 4)])
    }
    data[list: "lines"] = report.lines.prefix(Self.mostLines).map { line in
      switch line {
      case .span(let span): spanLine(span)
      case .unrecorded(let id): PageData(["unrecorded": id])
      }
    }
    data[flag: "isCut"] = report.lines.count > Self.mostLines
    return data
  }

  private func spanLine(_ span: TraceReport.Span) -> PageData {
    var data = PageData(["id": span.id.description, "href": Links.call(span.id.description)])
    data["unrecorded"] = nil
    data["indent"] = String(repeating: "\u{00A0}\u{00A0}", count: min(span.level, 24))
    data["name"] = span.json.at("deployment")?.string ?? span.json.at("span_id")?.string ?? "call"
    data["model"] = span.json.at("model")?.string
    let state = span.state.rawValue
    data["state"] = StateMark.words(state)
    data["style"] = StateMark.style(state)
    data["start"] = Show.duration(span.json.at("offset_ms"))
    data["took"] = Show.duration(span.json.at("timings", "duration_ms"))
    data["ttft"] = Show.duration(span.json.at("timings", "first_content_ms"))
    data["tokens"] = Show.count(span.json.at("usage", "total_tokens"))
    data["cost"] = Show.usd(span.json.at("cost", "total_usd"))
    data["error"] = span.json.at("error", "message")?.shown
    data[html: "bar"] = bar(span)
    data[list: "stalls"] = span.stalls.prefix(10).map { stall in
      PageData([
        "text": "\(Show.duration(Double(stall.gapNs) / 1e6)) until \(Show.duration(Double(stall.offsetNs) / 1e6))"
      ])
    }
    return data
  }

  private func bar(_ span: TraceReport.Span) -> HTML {
    func percent(_ ns: Int64) -> String { Show.plain(Double(ns) / Double(max(1, report.lengthNs)) * 100) + "%" }
    func rect(_ style: String, _ from: Int64, _ length: Int64, _ title: String = "") -> String {
      "<rect class=\"\(style)\" x=\"\(percent(from))\" y=\"4\" width=\"\(percent(max(0, length)))\" height=\"12\">"
        + (title.isEmpty ? "" : "<title>\(title)</title>") + "</rect>"
    }
    let length = span.lengthNs ?? 0
    let first = min(span.firstContentNs ?? length, length)
    var text =
      "<svg class=\"span s-\(StateMark.style(span.state.rawValue))\" width=\"100%\" height=\"20\" aria-hidden=\"true\">"
    // Even what took no time is seen.
    text += "<rect class=\"least\" x=\"\(percent(span.offsetNs))\" y=\"4\" width=\"2\" height=\"12\"/>"
    text += rect("wait", span.offsetNs, first)
    if span.firstContentNs != nil { text += rect("stream", span.offsetNs + first, length - first) }
    for stall in span.stalls.prefix(200) {
      let title = "stalled \(Show.duration(Double(stall.gapNs) / 1e6))"
      text += rect("stall", span.offsetNs + stall.offsetNs - stall.gapNs, stall.gapNs, title)
    }
    if span.firstContentNs != nil {
      let place = percent(span.offsetNs + first)
      text += "<line class=\"ttft\" x1=\"\(place)\" x2=\"\(place)\" y1=\"1\" y2=\"19\"/>"
    }
    return HTML(text + "</svg>")
  }
}
