internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
internal import TapeTypes

extension CallSummary {
  /// A call of a segment: from its outline, or where that does not tell, from its frames.
  ///
  /// - Parameter problem: what of it is missing on tape.
  /// - Throws: if it is not what was written.
  init(_ sealed: SealedCall, problem: String?) throws {
    if let outline = sealed.outline, let read = CallSummary(outline, sealed, problem: problem) {
      self = read
    } else {
      self.init(try sealed.call(), sealed.location, leafHash: sealed.leafHash, problem: problem)
      isDecoded = true
    }
  }

  init(_ call: RecordedCall, _ location: CallLocation, leafHash: [UInt8]?, problem: String?) {
    var generation = TapeDialects.generation(of: call, withExtra: false)
    generation.noteArchiveDamage(problem, end: call.end)
    let timing = CallTiming(call)
    self.init(
      open: call.open, facts: RequestFacts(call.open), location: location, head: call.head, end: call.end,
      isLive: false, generation: generation, firstFrameNs: timing.first,
      firstContentNs: generation.firstContentFrame.flatMap { timing.offset(of: $0) }, longestGapNs: timing.longestGap,
      frames: call.frameCount, bytes: call.raw.count, gapFrames: call.loss?.gapFrames ?? 0,
      gapBytes: call.loss?.gapBytes ?? 0, leafHash: leafHash)
  }

  /// nil where the outline does not tell.
  private init?(_ outline: CallOutline, _ sealed: SealedCall, problem: String?) {
    guard var generation = TapeDialects.generation(of: outline) else { return nil }
    var firstContentNs: Int64?
    if outline.open.hasTimes, let frame = generation.firstContentFrame {
      guard let known = outline.arrival(of: frame) else { return nil }
      firstContentNs = known
    }
    generation.noteArchiveDamage(problem, end: outline.end)
    self.init(
      open: outline.open, facts: RequestFacts(outline.open), location: sealed.location, head: outline.head,
      end: outline.end, isLive: false, generation: generation, firstFrameNs: outline.firstFrameNs,
      firstContentNs: firstContentNs, longestGapNs: outline.longestGapNs, frames: outline.frames, bytes: outline.bytes,
      gapFrames: outline.loss?.gapFrames ?? 0, gapBytes: outline.loss?.gapBytes ?? 0, leafHash: sealed.leafHash)
  }
}

extension CallOutline {
  /// When a frame came; nil if that is not known.
  fileprivate func arrival(of frame: Int) -> Int64? {
    frame == 0 ? firstFrameNs : columns.first { $0.firstFrame == frame }?.firstNs
  }
}
