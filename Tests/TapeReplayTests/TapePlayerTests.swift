import TapeArchive
import TapeIndexer
import TapeReplay
import TapeTestSupport
import Testing

/// Replay as a library.
struct TapePlayerTests {
  private static let noon: Int64 = 1_795_176_000_000_000_000

  private func call(_ number: Int, _ change: (inout TestCall) -> Void = { _ in }) -> TestCall {
    var call = TestCall(number, startedAt: Self.noon + Int64(number) * 1_000_000_000)
    call.request = Array(#"{"key":"bot","identity":{"id":"ada"},"thread":{"id":"t\#(number % 2)"}}"#.utf8)
    call.addChunk(#""choices":[{"index":0,"message":{"role":"assistant","content":"Hi"}}]"#, gapMs: 1)
    call.addChunk(#""is_final":true"#, gapMs: 20)
    change(&call)
    return call
  }

  private func frames(_ played: PlayedFrames) async throws -> [PlayedFrame] {
    var frames: [PlayedFrame] = []
    for try await frame in played { frames.append(frame) }
    return frames
  }

  @Test func framesComeAsRecordedAndNeverEarly() async throws {
    let test = try TestStore()
    let recorded = call(1)
    try test.record(recorded)
    let start = ContinuousClock.now
    var arrivals: [Duration] = []
    var seen: [PlayedFrame] = []
    for try await frame in try TapePlayer(store: test.store.path).play(recorded.id) {
      arrivals.append(ContinuousClock.now - start)
      seen.append(frame)
    }
    #expect(seen.map(\.bytes) == recorded.frames)
    #expect(seen.map(\.offsetNs) == recorded.offsetsNs)
    #expect(seen.map(\.index) == [0, 1])
    for (arrival, offset) in zip(arrivals, recorded.offsetsNs) { #expect(arrival >= .nanoseconds(offset)) }
  }

  @Test func aCallIsFoundByEveryNameThatItHas() async throws {
    let test = try TestStore()
    try test.record(call(1), call(2), call(3))
    let player = try TapePlayer(store: test.store.path)
    // An id needs no catalogue, and other names say that they do.
    #expect(try player.call(named: call(2).id.description).open.id == call(2).id)
    #expect(throws: TapeError.self) { try player.call(named: "@1") }
    try Indexer(store: test.store, log: test.log).run()
    #expect(try player.call(named: "@1").open.id == call(3).id)
    let prefix = String(call(2).id.description.prefix(20))
    #expect(try await frames(player.play(named: prefix, pace: .instant)).map(\.bytes) == call(2).frames)
    #expect(try player.calls(.thread("t1")) == [call(1).id, call(3).id])
    #expect(try player.calls(.identity("ada")).count == 3)
    #expect(try player.calls(.identity("bob")).isEmpty)
    #expect(try player.calls(.deployment("bot")) == player.calls(.all))
    #expect(try player.calls(.state(.done)) == player.calls(.all))
    let error = #expect(throws: TapeError.self) { try player.call(call(9).id) }
    #expect(error?.code == .notFound)
  }

  @Test(
    arguments: [
      (.endOfBody, nil), (.clientClosed, nil), (.upstreamClosed, .network), (.timeout, .network),
      (.upstreamFailed, .network),
      (.archiveStopped, .io), (nil, .network),
    ] as [(CallEnd.Cause?, TapeError.Code?)])
  func theEndIsTheRecordedOne(_ cause: CallEnd.Cause?, _ code: TapeError.Code?) async throws {
    let test = try TestStore()
    let recorded = call(1) { $0.cause = cause }
    try test.record(recorded)
    let played = try TapePlayer(store: test.store.path).play(recorded.id, pace: .instant)
    var seen = 0
    do {
      for try await _ in played { seen += 1 }
      #expect(code == nil)
    } catch {
      #expect((error as? TapeError)?.code == code)
    }
    #expect(seen == 2)
  }

  @Test func theSilenceBeforeTheEndIsKeptAndCancellingEndsIt() async throws {
    let test = try TestStore()
    let recorded = call(1) { $0.endOffsetNs = 60_000_000 }
    try test.record(recorded)
    let player = try TapePlayer(store: test.store.path)
    let start = ContinuousClock.now
    _ = try await frames(player.play(recorded.id, pace: .factor(2)))
    #expect(ContinuousClock.now - start >= .milliseconds(30))
    let slow = Task { try await frames(player.play(recorded.id, pace: .factor(0.001))) }
    slow.cancel()
    await #expect(throws: CancellationError.self) { try await slow.value }
  }

  @Test func aCallWithoutClockIsPlayedAtOnceAndEachReaderHasItsOwnReplay() async throws {
    let test = try TestStore()
    let recorded = call(1) { $0.hasTimes = false }
    try test.record(recorded)
    let played = try TapePlayer(store: test.store.path).play(recorded.id)
    for _ in 0..<2 { #expect(try await frames(played).map(\.bytes) == recorded.frames) }
    #expect(try await frames(played).allSatisfy { $0.offsetNs == nil })
  }

  @Test func aStoreThatIsNoneIsAnError() { #expect(throws: TapeError.self) { try TapePlayer(store: "/nowhere") } }
}
