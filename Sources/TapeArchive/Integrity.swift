internal import Crypto
package import TapeTypes

/// What of a call is on tape, against what its end record says the client got.
///
/// Every record has a checksum, so damage is seen where it is read; this tells what it came to, also long after, when
/// the call was sealed as it was.
package enum Integrity {
  /// A sentence on what is missing; nil if nothing is.
  ///
  /// - Parameter hash: SHA-256 of the response bytes on tape; asked for only if the counts are right.
  package static func problem(_ end: CallEnd, frames: Int, bytes: Int, hash: () -> [UInt8]) -> String? {
    let expectedBytes = end.bytes &- end.gapBytes
    let expectedFrames = end.frames &- end.gapFrames
    guard bytes == expectedBytes else {
      return "the archive is damaged: \(bytes) of \(expectedBytes) response bytes are on tape"
    }
    // What there was of a frame when a gap began counts as lost, and is on tape as a frame that was cut short.
    guard frames >= expectedFrames, frames &- expectedFrames <= max(0, end.gapFrames) else {
      return "the archive is damaged: \(frames) of \(expectedFrames) frames are on tape"
    }
    guard let sha256 = end.sha256, sha256 != hash() else { return nil }
    return "the archive is damaged: the \(bytes) response bytes on tape are not those that were recorded (SHA-256)"
  }
}

extension Integrity {
  /// The same of a call without end record.
  static func problem(_ loss: CallLoss?) -> String? {
    guard let loss, loss.missingFrames > 0 else { return nil }
    return
      "the archive is damaged: \(loss.missingFrames) \(loss.missingFrames == 1 ? "frame is" : "frames are") missing"
  }
}

/// What of a call is missing on tape, as a sentence; nil if nothing is, as far as can be told.
package func integrityProblem(of call: RecordedCall) -> String? {
  guard let end = call.end else { return Integrity.problem(call.loss) }
  return Integrity.problem(end, frames: call.frameCount, bytes: call.raw.count) { Array(SHA256.hash(data: call.raw)) }
}

extension SealedCall {
  /// The same of a call in a segment. Where its end record's hash followed from its bytes when it was sealed, these
  /// need not be read again.
  package func integrityProblem() throws -> String? {
    guard let outline, outline.end?.sha256 == nil else { return TapeArchive.integrityProblem(of: try call()) }
    guard let end = outline.end else { return Integrity.problem(outline.loss) }
    return Integrity.problem(end, frames: outline.frames, bytes: outline.bytes) { [] }
  }
}

extension LeafHasher {
  /// The same of a call whose frames all came by here.
  package func integrityProblem(end: CallEnd?, loss: CallLoss? = nil) -> String? {
    guard let end else { return Integrity.problem(loss) }
    return Integrity.problem(end, frames: Int(frames), bytes: Int(bytes)) { rawHash }
  }
}
