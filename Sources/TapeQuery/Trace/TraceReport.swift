internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapeJSON
internal import TapePricing
package import TapeTypes

/// The calls of a trace as spans, parents before children.
package struct TraceReport {
  /// A time without a frame.
  package struct Stall: Equatable, Sendable {
    /// The frame that ended it; nil if none came any more.
    package var frame: Int?
    /// From the call's start to the end of the stall.
    package var offsetNs: Int64
    package var gapNs: Int64
  }

  package struct Span: Sendable {
    package var id: CallID
    package var state: CallState
    /// From the start of the trace.
    package var offsetNs: Int64
    package var firstContentNs: Int64?
    /// From the call's start to its end, or to the last frame where it has none; nil for captures without clock.
    package var lengthNs: Int64?
    package var stalls: [Stall]
    package var depth: Int
    /// How deep it stands among `lines`: one more under a span that is not recorded.
    package fileprivate(set) var level = 0
    /// The object of `trace`.
    package var json: JSONValue
    /// What of it could not be read.
    package var damage: String?
  }

  package enum Line: Sendable {
    case span(Span)
    /// A span that calls name as their parent and that is no recorded call.
    case unrecorded(id: String)
  }

  package let traceID: String
  package fileprivate(set) var lines: [Line] = []
  /// From the start of the first call to the end of the last.
  package fileprivate(set) var lengthNs: Int64 = 0
  /// As `running` of `thread`, over all calls.
  package fileprivate(set) var totals: JSONValue = .null

  package var spans: [Span] {
    lines.compactMap { line in
      if case .span(let span) = line { return span }
      return nil
    }
  }
}

extension QueryEngine {
  /// - Parameters:
  ///   - trace: a trace id, or `@1`, `@2`, … for the trace of a call.
  ///   - stallNs: the shortest time without a frame that counts as a stall.
  /// - Throws: `TapeError` `.notFound` with the traces that begin alike.
  package func trace(_ trace: String, stallNs: Int64) throws -> TraceReport {
    var filter = CallFilter()
    let id = try traceID(trace)
    filter.trace = id
    var rows: [CallRow] = []
    try select(CallRow.selection("c"), filter, CallOrder(.oldest), nil) { rows.append(CallRow($0)) }
    guard let first = rows.first else {
      throw try unknown("trace", trace, columns: ["trace_id", "traceparent_trace_id"])
    }
    var report = TraceReport(traceID: id)
    let tree = SpanTree(rows.map(SpanTree.Span.init))
    var sum = RunningTotals()
    // Not recorded, and the parent of what follows.
    var stranger: String?
    for node in tree.nodes {
      switch node {
      case .unrecorded(let id):
        stranger = id
        report.lines.append(.unrecorded(id: id))
      case .span(let index, let parent, let depth):
        let row = rows[index]
        let object = json(row, try prices)
        let offset = row.startedNs.subtractingReportingOverflow(first.startedNs).partialValue
        let parent = parent.map { rows[$0].callID }
        if depth == 0 { stranger = stranger == row.parentSpanID ? stranger : nil }
        var span = try span(row, object, parent: parent, depth: depth, offset: offset, stallNs: stallNs)
        span.level = depth + (stranger == nil ? 0 : 1)
        report.lines.append(.span(span))
        if !row.isMock {
          let model = CallModel(provider: row.provider, model: row.model, startedNs: row.startedNs)
          let usage = CallUsage(row)
          sum.add(usage, CallCost(usage, model: model, isMock: false, prices: try prices))
        }
      }
    }
    report.lengthNs = report.spans.reduce(0) { longest, span in
      max(longest, span.offsetNs.addingReportingOverflow(span.lengthNs ?? 0).partialValue)
    }
    report.totals = sum.json
    return report
  }

  private func traceID(_ reference: String) throws -> String {
    guard reference.hasPrefix("@") else { return reference }
    let entry = try resolve(reference)
    guard let trace = try text("trace_id", of: entry.id) ?? text("traceparent_trace_id", of: entry.id) else {
      throw TapeError(.notFound, "call \(entry.id) is of no trace: it has neither telemetry nor a traceparent")
    }
    return trace
  }

  private func span(
    _ row: CallRow, _ object: JSONValue, parent: String?, depth: Int, offset: Int64, stallNs: Int64
  ) throws -> TraceReport.Span {
    let state = CallState(rawValue: row.state) ?? .lost
    var span = TraceReport.Span(
      id: CallID(row.callID) ?? CallID(high: 0, low: 0), state: state, offsetNs: offset,
      firstContentNs: row.firstContentNs, lengthNs: row.durationNs, stalls: [], depth: depth, json: .null)
    if mayHaveStalls(row, state, stallNs) {
      do {
        let call = try archive.call(
          at: CallLocation(file: row.archiveFile, offset: row.archiveOffset), id: span.id)
        span.stalls = Self.stalls(of: call, atLeast: stallNs)
        span.lengthNs = span.lengthNs ?? call.frameOffsetsNs.last
      } catch let error as TapeError where error.code != .io {
        span.damage = error.description
      }
    }
    span.json = json(span, row, object, parent: parent)
    return span
  }

  /// What the catalogue knows is enough for most calls: they need not be read.
  private func mayHaveStalls(_ row: CallRow, _ state: CallState, _ stallNs: Int64) -> Bool {
    if let gap = row.longestGapNs, gap >= stallNs { return true }
    guard state != .done, let first = row.firstFrameNs else { return false }
    return row.durationNs.map { $0 - first >= stallNs } ?? true
  }

  /// Times without a frame between the first and the last one, and behind the last of a call that did not come to its
  /// end.
  package static func stalls(of call: RecordedCall, atLeast least: Int64) -> [TraceReport.Stall] {
    let offsets = call.frameOffsetsNs
    var stalls: [TraceReport.Stall] = []
    for index in offsets.indices.dropFirst() where offsets[index] - offsets[index - 1] >= least {
      stalls.append(.init(frame: index, offsetNs: offsets[index], gapNs: offsets[index] - offsets[index - 1]))
    }
    if let silence = silenceAtEnd(of: call, atLeast: least) { stalls.append(silence) }
    return stalls
  }

  /// The time from the last frame to an end that the stream did not announce; nil if it is shorter, or not known.
  package static func silenceAtEnd(of call: RecordedCall, atLeast least: Int64) -> TraceReport.Stall? {
    guard let last = call.frameOffsetsNs.last, let end = call.end?.clientClosedNs ?? call.end?.offsetNs, end > last,
      end - last >= least, !generation(of: call, withExtra: false).complete
    else { return nil }
    return TraceReport.Stall(frame: nil, offsetNs: end, gapNs: end - last)
  }

  private func json(
    _ span: TraceReport.Span, _ row: CallRow, _ object: JSONValue, parent: String?
  ) -> JSONValue {
    func taken(_ keys: String...) -> [JSONValue.Member] { keys.map { .init($0, object[$0] ?? .null) } }
    let place: [JSONValue.Member] = [
      .init("parent_span_id", .string(row.parentSpanID)), .init("parent_call_id", .string(parent)),
      .init("depth", .int(span.depth)),
    ]
    let stalls = span.stalls.map { stall -> JSONValue in
      [
        "frame": .int(stall.frame), "offset_ms": JSONPieces.milliseconds(stall.offsetNs),
        "gap_ms": JSONPieces.milliseconds(stall.gapNs),
      ]
    }
    return .object(
      taken("call_id", "trace_id", "span_id") + place
        + taken("thread_id", "identity_id", "deployment", "model", "provider", "state", "error", "started_at")
        + [.init("offset_ms", JSONPieces.milliseconds(span.offsetNs))] + taken("timings")
        + [.init("stalls", .array(stalls))] + taken("usage", "cost", "cost_unknown"))
  }
}

extension CallRow {
  /// The caller's span: what the traceparent header names as the parent of this call.
  var parentSpanID: String? { traceparent.flatMap { Traceparent($0)?.parentSpanID } }
}

extension SpanTree.Span {
  init(_ row: CallRow) {
    self.init(id: row.spanID?.lowercased(), parent: row.parentSpanID, startedNs: row.startedNs)
  }
}
