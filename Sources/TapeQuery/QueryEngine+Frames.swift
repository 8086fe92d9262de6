internal import TapeArchive
internal import TapeDialects
package import TapeJSON
internal import TapeSSE
internal import TapeTypes

extension QueryEngine {
  /// The objects of `frames`: `sequence` counts from 0 as the frame numbers of usage, errors and defects do; `gap_ns`
  /// is the time since the frame before; `event` is the SSE event that the frame dispatched, null for a comment; `text`
  /// is what the frame added to the content (or else reasoning) of its choices, null if nothing.
  package func frames(_ entry: CallEntry) throws -> [JSONValue] { Self.frames(of: try recorded(entry)) }

  static func frames(of call: RecordedCall) -> [JSONValue] {
    var texts = FrameTexts(call)
    var events = EventParser()
    return call.raw.withUnsafeBytes { raw in
      (0..<call.frameCount).map { index in
        let bytes = UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)])
        var event: String?
        events.feed(bytes) { event = $0.event }
        let offset = call.frameOffsetNs(index)
        let previous = index > 0 ? call.frameOffsetNs(index - 1) : nil
        let gap = offset.flatMap { offset in previous.map { offset - $0 } }
        return .object([
          .init("sequence", .int(index)), .init("offset_ns", .int(offset)), .init("gap_ns", .int(gap)),
          .init("bytes", .int(bytes.count)), .init("event", .string(event)),
          .init("text", .string(texts.text(of: bytes, offsetNs: offset))),
        ])
      }
    }
  }

  /// The objects of `events`: what an SSE client is given.
  package func events(_ entry: CallEntry) throws -> [JSONValue] { Self.events(in: try recorded(entry).raw) }

  /// The events in an SSE body, wherever it is from.
  package static func events(in body: [UInt8]) -> [JSONValue] {
    var parser = EventParser()
    var events: [JSONValue] = []
    body.withUnsafeBytes { bytes in
      parser.feed(bytes) { event in
        events.append(
          .object([
            .init("event", .string(event.event)), .init("data", .string(event.data)), .init("id", .string(event.id)),
            .init("retry", .int(event.retry)),
          ]))
      }
    }
    parser.finish()
    return events
  }
}

/// Tells what each frame of a call added to its text.
private struct FrameTexts {
  /// Up to this many bytes are copied to tell pieces exactly.
  private static let copyLimit = 1 << 30

  private let call: RecordedCall
  private var reconstructor: Reconstructor
  private var before = Generation()
  /// Each frame is read by itself: for long calls, where putting the text together for each frame would cost the
  /// square of its length. A character whose halves came in two frames is not joined then.
  private let isAlone: Bool

  init(_ call: RecordedCall) {
    self.call = call
    reconstructor = Reconstructor(open: call.open, head: call.head)
    let whole = generation(of: call)
    let textBytes = whole.choices.reduce(0) { $0 + ($1.content?.utf8.count ?? 0) + ($1.reasoning?.utf8.count ?? 0) }
    isAlone = whole.contentMode == .delta && textBytes > Self.copyLimit / max(1, call.frameCount)
  }

  mutating func text(of frame: UnsafeRawBufferPointer, offsetNs: Int64?) -> String? {
    if isAlone { reconstructor = Reconstructor(open: call.open, head: call.head) }
    reconstructor.consume(frame: frame, offsetNs: offsetNs)
    let after = reconstructor.snapshot()
    defer { before = isAlone ? Generation() : after }
    var added = ""
    for choice in after.choices {
      let old = before.choices.first { $0.index == choice.index }
      let content = Self.difference(old?.content, choice.content)
      added += content.isEmpty ? Self.difference(old?.reasoning, choice.reasoning) : content
    }
    return added.isEmpty ? nil : added
  }

  private static func difference(_ old: String?, _ new: String?) -> String {
    guard let new else { return "" }
    let count = old?.utf8.count ?? 0
    guard new.utf8.count > count else { return "" }
    return String(decoding: new.utf8.dropFirst(count), as: UTF8.self)
  }
}
