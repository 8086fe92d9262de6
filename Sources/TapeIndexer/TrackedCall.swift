internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
internal import TapeTypes

/// A call of a journal while its frames come in. A class, since it is found and changed with every frame.
final class TrackedCall {
  let open: CallOpen
  let location: CallLocation
  private let facts: RequestFacts
  private var head: CallHead?
  private var reconstructor: Reconstructor
  private var hasher = LeafHasher()
  private var timing = CallTiming()
  private var frames = 0
  private var bytes = 0
  private var gapFrames = 0
  private var gapBytes = 0
  /// Bytes of a frame that has not ended: on tape, but not part of a frame yet.
  private var partBytes = 0
  /// Something came since the row was written.
  var isDirty = true
  /// Monotonic ns of the last time the row was written; nil if it never was.
  var writtenNs: Int64?

  init(open: CallOpen, location: CallLocation) {
    self.open = open
    self.location = location
    facts = RequestFacts(open)
    reconstructor = Reconstructor(open: open, head: nil, withExtra: false)
  }

  func set(_ head: CallHead) {
    self.head = head
    reconstructor.setHead(head)
    isDirty = true
  }

  func part(_ bytes: UnsafeRawBufferPointer) {
    partBytes += bytes.count
    isDirty = true
  }

  func frame(_ bytes: UnsafeRawBufferPointer, offsetNs: Int64?) {
    reconstructor.consume(frame: bytes, offsetNs: offsetNs)
    hasher.frame(offsetNs: offsetNs, bytes)
    timing.add(offsetNs)
    frames += 1
    self.bytes += bytes.count
    partBytes = 0
    isDirty = true
  }

  func gap(frames: Int, bytes: Int) {
    gapFrames += frames
    gapBytes += bytes
    isDirty = true
  }

  /// The call as it stands, still going on.
  func snapshot() -> CallSummary {
    // A row has the first words; the text as a whole is written when the call has ended.
    summary(end: nil, isLive: true, generation: reconstructor.snapshot(textLimit: 4_096), leafHash: nil)
  }

  /// The call after its last frame; without `end` it is lost.
  func finished(end: CallEnd?, loss: CallLoss?) -> CallSummary {
    var generation = reconstructor.finish(end: end, loss: loss)
    generation.noteArchiveDamage(problem(end, loss), end: end)
    if let loss { (gapFrames, gapBytes) = (loss.gapFrames, loss.gapBytes) }
    return summary(
      end: end, isLive: false, generation: generation,
      leafHash: hasher.finish(open: open, head: head, end: end, loss: loss))
  }

  /// What of the call is missing on tape, now that it has ended.
  func problem(_ end: CallEnd?, _ loss: CallLoss?) -> String? { hasher.integrityProblem(end: end, loss: loss) }

  private func summary(end: CallEnd?, isLive: Bool, generation: Generation, leafHash: [UInt8]?) -> CallSummary {
    CallSummary(
      open: open, facts: facts, location: location, head: head, end: end, isLive: isLive, generation: generation,
      firstFrameNs: timing.first,
      firstContentNs: generation.firstContentFrame.flatMap { timing.offset(of: $0) }, longestGapNs: timing.longestGap,
      frames: frames, bytes: bytes + partBytes, gapFrames: gapFrames, gapBytes: gapBytes, leafHash: leafHash)
  }
}
