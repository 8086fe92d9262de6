import TapeRedaction

/// Collects a response's frames, so that each is looked into as a whole before any of it gets on tape.
///
/// Pieces of a frame that has not ended wait in memory: with rules for responses, what a killed recorder's client had of
/// the last frame is not on tape.
final class RedactedFrames {
  /// A block of an event stream; otherwise the whole body is one frame.
  var isEvent = false
  private let redactor: Redactor
  private var pending: [UInt8] = []
  /// Bytes of a frame that is too large.
  private var dropped = 0

  init(_ redactor: Redactor) { self.redactor = redactor }

  /// A piece of a frame that has not ended.
  func add(_ bytes: UnsafeRawBufferPointer) {
    if dropped > 0 || pending.count + bytes.count > Redactor.mostBytes {
      dropped += pending.count + bytes.count
      pending.removeAll(keepingCapacity: false)
    } else {
      pending.append(contentsOf: bytes)
    }
  }

  /// The frame ends with these bytes: hands over what may be on tape.
  func end(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
    add(bytes)
    let frame =
      dropped > 0
      ? Redactor.placeholder(bytes: dropped, isEvent: isEvent)
      : redactor.frame(pending, isEvent: isEvent) ?? pending
    pending.removeAll(keepingCapacity: true)
    dropped = 0
    frame.withUnsafeBytes(body)
  }
}
