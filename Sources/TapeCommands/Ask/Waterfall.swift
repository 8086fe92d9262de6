internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// A trace for people: the tree of its spans, and when each of them waited, streamed and stalled.
struct Waterfall {
  private let report: TraceReport
  private let stallNs: Int64
  private let style: TerminalStyle

  init(_ report: TraceReport, stallNs: Int64, style: TerminalStyle = .standard) {
    self.report = report
    self.stallNs = stallNs
    self.style = style
  }

  /// One line of the tree before it is laid out.
  private struct Row {
    var name: String
    var start = ""
    var took = ""
    /// What `show` finds the call by.
    var id = ""
    /// Of what stands below it.
    var indent = ""
    var span: TraceReport.Span?
  }

  var lines: [String] {
    let rows = rows
    func widest(_ texts: [String]) -> Int { texts.reduce(0) { max($0, TerminalText.width($1)) } }
    let (start, took) = (widest(rows.map(\.start) + ["START"]), widest(rows.map(\.took) + ["TOOK"]))
    // Names get what they need up to two fifths of the width, ids where there is room, the bars what is left.
    let name = max(8, min(widest(rows.filter { $0.span != nil }.map(\.name)), style.columns * 2 / 5))
    let id = style.columns < 110 ? 0 : min(26, widest(rows.map(\.id)))
    let width = max(10, style.columns - name - start - took - 6 - (id > 0 ? id + 2 : 0))
    func line(_ row: Row, _ bar: String) -> String {
      func cell(_ text: String, _ width: Int, right: Bool = true) -> String {
        TerminalText.padded(TerminalText.truncated(text, to: width), to: width, right: right)
      }
      var cells = [cell(row.name, name, right: false), cell(row.start, start), cell(row.took, took)]
      if id > 0 { cells.append(cell(row.id, id, right: false)) }
      return (cells + [bar]).joined(separator: "  ")
    }
    var lines = TerminalLines.wrapped(head, to: style.columns).map { style.bold($0) }
    lines.append(style.dim(line(Row(name: "CALL", start: "START", took: "TOOK", id: "SPAN"), axis(width))))
    for row in rows {
      guard let span = row.span else {
        lines.append(style.dim(TerminalText.truncated(row.name, to: style.columns)))
        continue
      }
      let bar = SpanBar(span, lengthNs: report.lengthNs, width: width, style: style).text
      lines.append(line(row, bar))
      for (note, isFailure) in notes(span) {
        let text = TerminalText.truncated(row.indent + note, to: style.columns)
        lines.append(isFailure ? style.red(text) : style.yellow(text))
      }
    }
    return lines + legend
  }

  // MARK: The tree

  private var rows: [Row] {
    zip(report.lines, branches).map { line, branch in
      switch line {
      case .unrecorded(let id): Row(name: "span \(TerminalText.escaped(id)), not recorded")
      case .span(let span):
        Row(
          name: branch.name + Self.name(of: span), start: span.offsetNs == 0 ? "0" : Self.duration(span.offsetNs),
          took: span.json["timings"]?["duration_ms"].flatMap { Column.duration($0) } ?? Self.tookWithoutEnd(span),
          id: TerminalText.escaped(span.json["span_id"]?.string ?? span.id.description), indent: branch.below,
          span: span)
      }
    }
  }

  /// What stands before the name of each line, and before the notes below it.
  private var branches: [(name: String, below: String)] {
    // Levels that go on further down, seen from the end.
    var goesOn = [Bool](repeating: false, count: Self.maximumLevel + 1)
    let branches = report.lines.reversed().map { line -> (name: String, below: String) in
      var level = 0
      if case .span(let span) = line { level = min(span.level, Self.maximumLevel) }
      let above = level < 2 ? "" : goesOn[1..<level].map { $0 ? "│ " : "  " }.joined()
      let (here, below) = level == 0 ? ("", "") : goesOn[level] ? ("├ ", "│ ") : ("└ ", "  ")
      let hasChild = level < Self.maximumLevel && goesOn[level + 1]
      for deeper in goesOn.indices where deeper > level { goesOn[deeper] = false }
      goesOn[level] = true
      return (above + here, above + below + (hasChild ? "│ " : "  "))
    }
    return branches.reversed()
  }

  /// Deeper ones stand there too.
  private static let maximumLevel = 12

  private static func tookWithoutEnd(_ span: TraceReport.Span) -> String {
    span.lengthNs.map { "> " + duration($0) } ?? "–"
  }

  private static func name(of span: TraceReport.Span) -> String {
    let names = ["deployment", "model"].compactMap { span.json[$0]?.string }
    return TerminalText.escaped(names.isEmpty ? span.id.description : names.joined(separator: " "))
  }

  private static func duration(_ ns: Int64) -> String { Column.duration(.number(String(Double(ns) / 1e6))) ?? "–" }

  // MARK: What stands above and below

  private var head: String {
    let spans = report.spans
    var parts = ["trace \(report.traceID)", "\(spans.count) \(spans.count == 1 ? "call" : "calls")"]
    parts.append(Self.duration(report.lengthNs))
    if let tokens = report.totals["total_tokens"], !tokens.isNull { parts.append("\(Column.plain(tokens)) tokens") }
    if let cost = report.totals["cost_usd"]?.string { parts.append("$\(cost)") }
    let errors = spans.count { $0.state.isError }
    if errors > 0 { parts.append("\(errors) failed") }
    return TerminalText.escaped(parts.joined(separator: " · "))
  }

  private func axis(_ width: Int) -> String {
    let end = Self.duration(report.lengthNs)
    let middle = Self.duration(report.lengthNs / 2)
    let left = width / 2 - middle.count / 2 - 1
    let right = width - 1 - left - middle.count - end.count
    if left < 2 || right < 2 { return "0" + TerminalText.padded(end, to: width - 1, right: true) }
    return "0" + String(repeating: " ", count: left) + middle + String(repeating: " ", count: right) + end
  }

  /// Lines below a span, and whether they tell of a failure.
  private func notes(_ span: TraceReport.Span) -> [(String, Bool)] {
    var notes = span.stalls.prefix(3).map { stall -> (String, Bool) in
      let gap = Self.duration(stall.gapNs)
      guard let frame = stall.frame else { return ("┄ silent for \(gap) until it ended", false) }
      return ("┄ stalled \(gap), until frame \(frame) at \(Self.duration(stall.offsetNs))", false)
    }
    if span.stalls.count > 3 { notes.append(("┄ and \(span.stalls.count - 3) more stalls", false)) }
    if ![.done, .open].contains(span.state) {
      let message = span.json["error"]?["message"]?.string.map { ": \($0)" } ?? ""
      notes.append((TerminalText.escaped("✗ \(span.state.rawValue)\(message)"), true))
    }
    if span.state == .open { notes.append(("▸ goes on", false)) }
    return notes
  }

  private var legend: [String] {
    var marks = ["░ waiting", "◆ first content", "█ streaming"]
    let spans = report.spans
    if spans.contains(where: { !$0.stalls.isEmpty }) { marks.append("┄ stalled \(Self.duration(stallNs)) or more") }
    if spans.contains(where: { ![.done, .open].contains($0.state) }) { marks.append("✗ not done") }
    if spans.contains(where: { $0.state == .open }) { marks.append("▸ goes on") }
    if spans.contains(where: { $0.lengthNs == nil && ![.open, .lost].contains($0.state) }) {
      marks.append("? no times")
    }
    return TerminalLines.wrapped(marks.joined(separator: "  "), to: style.columns).map { style.dim($0) }
  }
}

/// The bar of one span: a character for each part of the trace's time.
struct SpanBar {
  private enum Cell: Equatable { case blank, waiting, content, streaming, stalled, failed, goesOn, timeless }

  private let cells: [Cell]
  private let style: TerminalStyle

  init(_ span: TraceReport.Span, lengthNs: Int64, width: Int, style: TerminalStyle) {
    self.style = style
    let scale = Double(max(1, lengthNs)) / Double(max(1, width))
    func cell(_ ns: Int64) -> Int { min(width - 1, max(0, Int(Double(ns) / scale))) }
    var cells = [Cell](repeating: .blank, count: width)
    let first = cell(span.offsetNs)
    guard let length = span.lengthNs else {
      cells[first] = span.state == .open ? .goesOn : span.state == .lost ? .failed : .timeless
      self.cells = cells
      return
    }
    let last = max(first, cell(span.offsetNs + length))
    for index in first...last {
      // What is at the middle of the cell.
      let time = Int64((Double(index) + 0.5) * scale) - span.offsetNs
      let isStalled = span.stalls.contains { time >= $0.offsetNs - $0.gapNs && time < $0.offsetNs }
      cells[index] = isStalled ? .stalled : time < span.firstContentNs ?? .max ? .waiting : .streaming
    }
    if let content = span.firstContentNs { cells[min(last, cell(span.offsetNs + content))] = .content }
    if span.state == .open { cells[last] = .goesOn } else if span.state != .done { cells[last] = .failed }
    self.cells = cells
  }

  /// Without blanks at its end.
  var text: String {
    var text = ""
    let end = cells.lastIndex { $0 != .blank } ?? -1
    var rest = cells[...end]
    while let cell = rest.first {
      let run = rest.prefix { $0 == cell }
      text += Self.text(of: cell, run.count, style)
      rest = rest[run.endIndex...]
    }
    return text
  }

  private static func text(of cell: Cell, _ count: Int, _ style: TerminalStyle) -> String {
    func text(_ mark: String) -> String { String(repeating: mark, count: count) }
    return switch cell {
    case .blank: text(" ")
    case .waiting: style.dim(text("░"))
    case .content: style.bold(text("◆"))
    case .streaming: text("█")
    case .stalled: style.yellow(text("┄"))
    case .failed: style.red(text("✗"))
    case .goesOn: style.green(text("▸"))
    case .timeless: text("?")
    }
  }
}
