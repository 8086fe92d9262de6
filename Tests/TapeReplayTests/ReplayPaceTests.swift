import TapeReplay
import TapeTypes
import Testing

@Suite struct ReplayPaceTests {
  @Test(arguments: [
    ("original", ReplayPace.original), ("instant", .instant), ("2x", .factor(2)), ("0.5x", .factor(0.5)),
    ("fixed:20ms", .fixed(nanoseconds: 20_000_000)), ("fixed:1.5s", .fixed(nanoseconds: 1_500_000_000)),
    ("fixed:0ms", .fixed(nanoseconds: 0)),
  ])
  func readsEveryPace(text: String, pace: ReplayPace) {
    #expect(ReplayPace(text) == pace)
  }

  @Test(arguments: [
    "", "x", "0x", "-1x", "nanx", "infx", "fixed:", "fixed:20", "fixed:-1ms", "fast", "fixed:1e30s", "1e-300x",
    "1e300x",
  ])
  func refusesWhatIsNoPace(text: String) {
    #expect(ReplayPace(text) == nil)
  }

  @Test func dueTimesFollowThePace() {
    #expect(ReplayPace.original.dueNs(frame: 3, offsetNs: 70) == 70)
    #expect(ReplayPace.factor(2).dueNs(frame: 3, offsetNs: 70) == 35)
    #expect(ReplayPace.factor(0.5).dueNs(frame: 3, offsetNs: 70) == 140)
    #expect(ReplayPace.fixed(nanoseconds: 5).dueNs(frame: 3, offsetNs: 70) == 15)
    #expect(ReplayPace.instant.dueNs(frame: 3, offsetNs: 70) == 0)
    #expect(ReplayPace.original.dueNs(frame: 3, offsetNs: nil) == 0)
    #expect(ReplayPace.factor(1e-300).dueNs(frame: 3, offsetNs: 70) == Int64.max)
  }

  @Test func framesComeInOrderAndNeverEarly() {
    let call = RecordedCall(
      open: CallOpen(id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .import, salt: []), raw: Array("abcdef".utf8),
      frameEnds: [2, 3, 6], frameOffsetsNs: [1_000_000, 2_000_000, 30_000_000])
    var pieces: [String] = []
    let clock = ContinuousClock()
    let start = clock.now
    var arrivals: [Duration] = []
    let report = BlockingPlayer(pace: .original).play(call) { _, bytes in
      pieces.append(String(decoding: bytes, as: UTF8.self))
      arrivals.append(clock.now - start)
    }
    #expect(pieces == ["ab", "c", "def"])
    #expect(report.frames == 3 && report.bytes == 6)
    #expect(arrivals[0] >= .milliseconds(1) && arrivals[1] >= .milliseconds(2) && arrivals[2] >= .milliseconds(30))
  }

  /// A stream that fell silent before it was cut is silent again; paces without recorded time do not wait.
  @Test func theSilenceBeforeTheEndIsKept() {
    var call = RecordedCall(
      open: CallOpen(id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .import, salt: []), raw: [1], frameEnds: [1],
      frameOffsetsNs: [1_000_000])
    call.end = CallEnd(offsetNs: 40_000_000, cause: .timeout, frames: 1, bytes: 1, sha256: nil)
    let clock = ContinuousClock()
    let start = clock.now
    BlockingPlayer(pace: .factor(2)).play(call) { _, _ in }
    #expect(clock.now - start >= .milliseconds(20))
    call.end?.offsetNs = .max
    BlockingPlayer(pace: .instant).play(call) { _, _ in }
    BlockingPlayer(pace: .fixed(nanoseconds: 1)).play(call) { _, _ in }
  }

  @Test func anErrorOfTheSinkEndsTheReplay() {
    let call = RecordedCall(
      open: CallOpen(id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .import, salt: []), raw: [1, 2],
      frameEnds: [1, 2])
    var count = 0
    #expect(throws: CancellationError.self) {
      try BlockingPlayer(pace: .instant).play(call) { _, _ in
        count += 1
        throw CancellationError()
      }
    }
    #expect(count == 1)
  }
}
