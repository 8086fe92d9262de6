package import TapeTypes

/// Puts a generation together frame by frame; works on live calls too.
package struct Reconstructor: Sendable {
  /// - Parameter head: nil if it has not come yet; then `setHead` before the first frame.
  package init(open: CallOpen, head: CallHead?) {}

  package mutating func setHead(_ head: CallHead) {}

  /// Takes the next frame, whole, also an unterminated tail. The bytes are not kept.
  package mutating func consume(frame: UnsafeRawBufferPointer, offsetNs: Int64?) {}

  /// What the frames so far say, for a call that goes on: nothing is missing yet.
  package func snapshot() -> Generation { Generation() }

  /// The response has ended: what is missing now is a defect.
  package mutating func finish() -> Generation { Generation() }
}

/// The generation of a call that is on tape.
package func generation(of call: RecordedCall) -> Generation {
  var reconstructor = Reconstructor(open: call.open, head: call.head)
  call.raw.withUnsafeBytes { raw in
    for index in 0..<call.frameCount {
      reconstructor.consume(
        frame: UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]), offsetNs: call.frameOffsetNs(index))
    }
  }
  return call.end == nil && call.isLive ? reconstructor.snapshot() : reconstructor.finish()
}
