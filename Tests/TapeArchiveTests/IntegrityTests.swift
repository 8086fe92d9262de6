import TapeArchive
import TapeTypes
import Testing

/// What the end record says is what must be on tape.
@Suite struct IntegrityTests {
  private func call(
    frames: [String], end: CallEnd
  ) -> RecordedCall {
    var generator = Seeded(state: 5)
    var call = RecordedCall(open: makeOpen(&generator, hasTimes: false), end: end)
    for frame in frames {
      call.raw += Array(frame.utf8)
      call.frameEnds.append(call.raw.count)
    }
    return call
  }

  private func end(
    _ frames: Int, _ bytes: Int, gap: (frames: Int, bytes: Int) = (0, 0), sha256: [UInt8]? = nil
  ) -> CallEnd {
    CallEnd(
      offsetNs: nil, cause: .endOfBody, frames: frames, bytes: bytes, sha256: sha256, gapFrames: gap.frames,
      gapBytes: gap.bytes)
  }

  /// All three ways to ask agree.
  private func problem(_ call: RecordedCall) -> String? {
    var hasher = LeafHasher()
    for index in 0..<call.frameCount {
      Array(call.raw[call.frameRange(index)]).withUnsafeBytes { hasher.frame(offsetNs: nil, $0) }
    }
    let found = integrityProblem(of: call)
    #expect(hasher.integrityProblem(end: call.end) == found)
    return found
  }

  @Test func aWholeCallIsWhole() {
    let text = ["data: a\n\n", "data: b\n\n"]
    let hash = sha256(Array(text.joined().utf8))
    #expect(problem(call(frames: text, end: end(2, 18, sha256: hash))) == nil)
    #expect(problem(call(frames: [], end: end(0, 0))) == nil)
  }

  @Test func whatIsMissingIsCounted() {
    let one = ["data: a\n\n"]
    #expect(
      problem(call(frames: one, end: end(5, 353))) == "the archive is damaged: 9 of 353 response bytes are on tape")
    #expect(problem(call(frames: one, end: end(2, 9))) == "the archive is damaged: 1 of 2 frames are on tape")
    #expect(problem(call(frames: one, end: end(0, 9))) == "the archive is damaged: 1 of 0 frames are on tape")
    #expect(problem(call(frames: one, end: end(1, 9, sha256: sha256([1])))) != nil)
    #expect(problem(call(frames: one, end: end(.min, .max, gap: (.max, .min)))) != nil)
  }

  @Test func aGapIsNoDamage() {
    let one = ["data: a\n\n"]
    #expect(problem(call(frames: one, end: end(3, 40, gap: (2, 31)))) == nil)
    // The frame that the gap cut short.
    #expect(problem(call(frames: one, end: end(3, 40, gap: (3, 31)))) == nil)
    #expect(problem(call(frames: one, end: end(3, 40, gap: (2, 30)))) != nil)
  }

  @Test func aCallWithoutEndCannotBeJudged() {
    var lost = call(frames: ["data: a"], end: end(9, 9))
    lost.end = nil
    #expect(problem(lost) == nil)
  }
}
