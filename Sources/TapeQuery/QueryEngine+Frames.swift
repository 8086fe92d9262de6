internal import TapeArchive
internal import TapeDialects
package import TapeJSON
package import TapeSSE
package import TapeTypes

extension QueryEngine {
  /// The objects of `frames`: `sequence` counts from 0 as the frame numbers of usage, errors and defects do; `gap_ns`
  /// is the time since the frame before; `event` is the SSE event that the frame dispatched, null for a comment; `text`
  /// is what the frame added to the content (or else reasoning) of its choices, null if nothing.
  package func frames(_ entry: CallEntry) throws -> [JSONValue] { Self.frames(of: try recorded(entry)) }

  /// The same of a call that was read already.
  package static func frames(of call: RecordedCall) -> [JSONValue] {
    var rows: [JSONValue] = []
    rows.reserveCapacity(call.frameCount)
    forEachFrame(of: call) { rows.append($0) }
    return rows
  }

  /// The same one by one: a call may have millions of frames, and an object takes a hundred times as much as a small one.
  ///
  /// - Parameter wanted: only these frames; nil for all.
  package static func forEachFrame(
    of call: RecordedCall, in wanted: Range<Int>? = nil, _ body: (JSONValue) -> Void
  ) {
    var texts = FrameTexts(of: call)
    var events = EventParser()
    let wanted = (wanted ?? 0..<call.frameCount).clamped(to: 0..<call.frameCount)
    call.raw.withUnsafeBytes { raw in
      for index in 0..<wanted.upperBound {
        let bytes = UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)])
        var event: String?
        events.feed(bytes) { event = $0.event }
        let pieces = texts.pieces(ofFrame: index)
        // What an event and a piece are depends on the frames before.
        guard index >= wanted.lowerBound else { continue }
        let offset = call.frameOffsetNs(index)
        let previous = index > 0 ? call.frameOffsetNs(index - 1) : nil
        let gap = offset.flatMap { offset in previous.map { offset - $0 } }
        body(
          .object([
            .init("sequence", .int(index)), .init("offset_ns", .int(offset)), .init("gap_ns", .int(gap)),
            .init("bytes", .int(bytes.count)), .init("event", .string(event)),
            .init("text", .string(added(pieces))),
          ]))
      }
    }
  }

  /// Content, or else reasoning, of all choices, without media; nil for none.
  private static func added(_ pieces: [FrameTexts.Piece]) -> String? {
    let text = pieces.map { $0.content.isEmpty ? $0.reasoning : $0.content }.joined()
    return text.isEmpty ? nil : withoutInlineMedia(text)
  }

  /// The objects of `events`: what an SSE client is given.
  package func events(_ entry: CallEntry) throws -> [JSONValue] { Self.events(in: try recorded(entry).raw) }

  /// One object of `events`.
  package static func row(of event: SSEEvent) -> JSONValue {
    ["event": .string(event.event), "data": .string(event.data), "id": .string(event.id), "retry": .int(event.retry)]
  }

  /// The events in an SSE body, wherever it is from.
  package static func events(in body: [UInt8]) -> [JSONValue] {
    var parser = EventParser()
    var events: [JSONValue] = []
    body.withUnsafeBytes { bytes in
      parser.feed(bytes) { event in
        events.append(row(of: event))
      }
    }
    parser.finish()
    return events
  }
}
