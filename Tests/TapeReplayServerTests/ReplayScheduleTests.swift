import TapeReplay
import TapeTypes
import Testing

@testable import TapeReplayServer

struct ReplayScheduleTests {
  private func call(_ offsets: [Int64], head: Int64? = 5, end: Int64? = 100) -> RecordedCall {
    let open = CallOpen(id: CallID(high: 0, low: 1), startedAtNs: 0, origin: .proxy, salt: [])
    return RecordedCall(
      open: open, head: head.map { CallHead(offsetNs: $0, status: 200) },
      end: CallEnd(offsetNs: end, cause: .endOfBody, frames: offsets.count, bytes: offsets.count, sha256: nil),
      raw: Array(repeating: 0x61, count: offsets.count),
      frameEnds: Array(1...max(1, offsets.count)).prefix(offsets.count).map { $0 },
      frameOffsetsNs: offsets)
  }

  /// When each part is due, by a clock that this test turns.
  private func times(_ call: RecordedCall, _ pace: ReplayPace, requestNs: Int64, now: Int64) -> [Int64] {
    var schedule = ReplaySchedule(call, pace: pace)
    schedule.start(requestNs: requestNs, now: now)
    var times: [Int64] = []
    while schedule.next != nil {
      times.append(schedule.nextNs)
      schedule.advance()
    }
    return times
  }

  @Test func replaysThatBeginLateTogetherBeginOneBehindTheOther() {
    var starts = LateStarts()
    #expect([1_000, 1_001, 1_001].map { starts.next(now: $0) } == [1_000, 51_000, 101_000])
    // One that comes into the row stands at its end; one behind it has no other to wait for.
    #expect([130_000, 200_999, 400_000].map { starts.next(now: $0) } == [151_000, 201_000, 400_000])
  }

  @Test func eachPartIsDueAtItsRecordedTimeAfterTheRequest() {
    #expect(times(call([10, 30, 60]), .original, requestNs: 1000, now: 1001) == [1005, 1010, 1030, 1060, 1100])
    #expect(times(call([10, 30, 60]), .factor(2), requestNs: 1000, now: 1000) == [1002, 1005, 1015, 1030, 1050])
  }

  @Test func withoutRecordedTimesEndAndHeadHaveNone() {
    #expect(times(call([10, 30, 60]), .instant, requestNs: 1000, now: 1000) == Array(repeating: 1000, count: 5))
    #expect(
      times(call([10, 30, 60]), .fixed(nanoseconds: 20), requestNs: 1000, now: 1000) == [1000, 1000, 1020, 1040, 1040])
  }

  @Test func aReplayThatBeginsLateKeepsItsGaps() {
    var schedule = ReplaySchedule(call([10, 30, 60]), pace: .original)
    schedule.start(requestNs: 1000, now: 1025)
    #expect(schedule.delayNs == 20)
    #expect(times(call([10, 30, 60]), .original, requestNs: 1000, now: 1025) == [1025, 1030, 1050, 1080, 1120])
  }

  @Test func timesThatRunBackwardsWaitForWhatIsBeforeThem() {
    #expect(times(call([50, 20, 60]), .original, requestNs: 0, now: 0) == [5, 50, 50, 60, 100])
  }

  @Test func aCallWithoutResponseFailsWhenItFailed() {
    #expect(times(call([], head: nil, end: 70), .original, requestNs: 1000, now: 1000) == [1070, 1070])
  }

  @Test func capturesWithoutClockArePlayedAtOnce() {
    var bare = call([1, 2], head: nil, end: nil)
    bare.frameOffsetsNs = []
    #expect(times(bare, .original, requestNs: 9, now: 9) == [9, 9, 9, 9])
  }

  @Test func timesBeyondAllBoundsAreNever() {
    #expect(times(call([.max]), .original, requestNs: 1000, now: 1000).contains(.max))
  }

  @Test func latenessIsThatOfTheFramesAgainstTheClock() throws {
    let played = try PlayedCall(call([10, 30, 60]), source: nil)
    var playing = Playing(played, pace: .original)
    playing.schedule.start(requestNs: 1_000_000, now: 1_000_000)
    for late in [0, 3_000, 9_000] as [Int64] {
      playing.schedule.advance()
      [UInt8](repeating: 0x61, count: 1).withUnsafeBytes { playing.handedOut($0, now: playing.schedule.nextNs + late) }
    }
    let report = playing.finished()
    #expect(report.frames == 3 && report.isExact == true && report.ending == .whole)
    #expect(report.lateness.count == 3 && report.lateness.worstNs == 9_000)
    #expect(report.lateness.percentileNs(0.5) == 4_000)
  }

  @Test func whatWaitedForTheClientIsNotLate() throws {
    var playing = Playing(try PlayedCall(call([10, 30, 60]), source: nil), pace: .original)
    playing.schedule.start(requestNs: 0, now: 0)
    playing.heldUntilNs = 40
    for _ in 0..<3 {
      playing.schedule.advance()
      [UInt8](repeating: 0x62, count: 1).withUnsafeBytes { playing.handedOut($0, now: 5_000) }
    }
    let report = playing.finished()
    #expect(report.heldFrames == 2 && report.lateness.count == 1)
    #expect(report.isExact == false)
  }
}

struct LatenessTallyTests {
  @Test(arguments: [0, 1_000, 63_000, 64_000, 127_000, 1_000_000, 77_777_000, 3_600_000_000_000])
  func aPercentileIsInItsBucket(_ value: Int64) throws {
    var tally = LatenessTally()
    for _ in 0..<99 { tally.add(value) }
    tally.add(value * 4 + 1_000_000)
    let median = try #require(tally.percentileNs(0.5))
    #expect(median >= value && Double(median) <= Double(value) * 1.04 + 1_000)
    #expect(tally.percentileNs(1) == value * 4 + 1_000_000)
  }

  @Test func talliesAddUp() {
    var (one, other) = (LatenessTally(), LatenessTally())
    for value in 1...50 { one.add(Int64(value) * 1_000) }
    for value in 51...100 { other.add(Int64(value) * 1_000) }
    one.add(other)
    #expect(one.count == 100 && one.worstNs == 100_000 && one.percentileNs(0.5) == 51_000)
    #expect(LatenessTally().percentileNs(0.5) == nil)
  }

  @Test func theSoonestComesFirst() {
    var queue = DueQueue<Int>()
    for value in [5, 3, 9, 1, 7, 3, 8] { queue.add(value, dueNs: Int64(value)) }
    var order: [Int] = []
    while let next = queue.next(now: 8) { order.append(next) }
    #expect(order == [1, 3, 3, 5, 7, 8] && queue.nextNs == 9 && !queue.isEmpty)
  }
}

struct ReplayedResponseTests {
  private func call(
    _ headers: [HeaderField]?, _ raw: String = "data: {}\n\n", cause: CallEnd.Cause? = .endOfBody,
    detail: String? = nil,
    gap: Int = 0, status: Int = 200
  ) -> RecordedCall {
    let open = CallOpen(id: CallID(high: 0, low: 1), startedAtNs: 0, origin: .proxy, salt: [])
    let end = cause.map {
      CallEnd(
        offsetNs: 1, cause: $0, detail: detail, frames: 1, bytes: raw.utf8.count, sha256: nil, gapFrames: gap,
        gapBytes: gap)
    }
    return RecordedCall(
      open: open, head: headers.map { CallHead(offsetNs: 0, status: status, headers: $0) }, end: end,
      raw: Array(raw.utf8),
      frameEnds: raw.isEmpty ? [] : [raw.utf8.count], frameOffsetsNs: raw.isEmpty ? [] : [1])
  }

  @Test func fieldsOfOneConnectionAndOfAnEncodingAreLeftOut() {
    let headers = [
      HeaderField("Content-Type", "text/event-stream"), HeaderField("Connection", "keep-alive, X-Mine"),
      HeaderField("X-Mine", "1"),
      HeaderField("Transfer-Encoding", "chunked"), HeaderField("Content-Encoding", "gzip"),
      HeaderField("X-Tapedeck-Call", "other"),
      HeaderField("Set-Cookie", "[redacted]"),
    ]
    let response = ReplayedResponse(call(headers))
    #expect(response.headers.map(\.name) == ["Content-Type", "Set-Cookie"])
    #expect(response.status == 200 && !response.hasLength && response.ending == .whole)
  }

  @Test func noFieldSplitsTheResponse() {
    let headers = [
      HeaderField("X-A", "b\r\nSet-Cookie: c=d"), HeaderField("X B", "1"), HeaderField("X:C", "1"),
      HeaderField("", "1"),
      HeaderField("X-D\r\n", "1"), HeaderField("X-E", "tab\there\u{0}\u{7f}"),
      HeaderField("Content-Type", "text/event-stream"),
    ]
    let response = ReplayedResponse(call(headers))
    #expect(response.headers.map(\.name) == ["X-A", "X-E", "Content-Type"])
    #expect(response.headers.map(\.value) == ["b  Set-Cookie: c=d", "tab\there  ", "text/event-stream"])
  }

  @Test func aLengthIsKeptWhereItIsThatOfTheBody() {
    let exact = ReplayedResponse(call([HeaderField("Content-Length", "10")]))
    #expect(exact.hasLength && exact.headers.first("content-length") == "10")
    let encoded = ReplayedResponse(call([HeaderField("content-length", "7")]))
    #expect(encoded.hasLength && encoded.headers.first("content-length") == "10")
    let cut = ReplayedResponse(call([HeaderField("Content-Length", "20")], cause: .upstreamClosed))
    #expect(cut.hasLength && cut.headers.first("content-length") == "20" && cut.ending == .cut(isReset: false))
    let nonsense = ReplayedResponse(call([HeaderField("Content-Length", "10")], cause: .upstreamClosed))
    #expect(!nonsense.hasLength && nonsense.headers.first("content-length") == nil)
  }

  @Test func theEndIsTheRecordedOne() {
    let events = [HeaderField("Content-Type", "text/event-stream")]
    #expect(ReplayedResponse(call(events, cause: nil)).ending == .cut(isReset: false))
    #expect(ReplayedResponse(call(events, gap: 3)).ending == .cut(isReset: false))
    #expect(ReplayedResponse(call(events, cause: .timeout)).ending == .cut(isReset: false))
    #expect(ReplayedResponse(call(events, cause: .clientClosed)).ending == .cut(isReset: false))
    #expect(ReplayedResponse(call(events, "data: [DONE]\n\n", cause: .clientClosed)).ending == .whole)
    let reset = "http://h broke the connection: Recv failure: Connection reset by peer"
    #expect(ReplayedResponse(call(events, cause: .upstreamClosed, detail: reset)).ending == .cut(isReset: true))
  }

  @Test(arguments: [
    (CallEnd.Cause.upstreamFailed, 502, "upstream_failed"), (.timeout, 504, "upstream_timeout"),
    (.archiveStopped, 503, "archive_failure"),
  ])
  func withoutResponseTheAnswerIsTheProxys(_ cause: CallEnd.Cause, _ status: Int, _ code: String) {
    let response = ReplayedResponse(call(nil, "", cause: cause, detail: "no \"route\""))
    #expect(response.status == status && response.ending == .whole)
    let text = String(decoding: response.ownBody ?? [], as: UTF8.self)
    #expect(text == #"{"error":{"message":"no \"route\"","code":"\#(code)","source":"tapedeck"}}"#)
  }

  @Test func aClientThatLeftBeforeTheHeadGotNothing() {
    #expect(ReplayedResponse(call(nil, "", cause: .clientClosed)).isSilent)
  }

  @Test func capturesWithoutHeadAreTakenForWhatTheyLookLike() {
    #expect(ReplayedResponse(call(nil, cause: nil)).headers == [HeaderField("Content-Type", "text/event-stream")])
    #expect(ReplayedResponse(call([], #"{"a":1}"#)).headers == [HeaderField("Content-Type", "application/json")])
  }
}
