import Glibc
import Synchronization
import TapeArchive
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// Sockets that end at any byte, on either side, and a wall clock that is set.
struct NetworkFaultTests {
  private static let frames = "data: {\"a\":1}\n\ndata: [DONE]\n\n"
  private static let response =
    streamHead + chunk("data: {\"a\":1}\n\n") + chunk("data: [DO") + chunk("NE]\n\n") + lastChunk

  /// In the head, in a chunk's length, in mid-frame, between chunks, before the last line feed: the client and the tape
  /// have the same, and a cut is a cut for both.
  @Test(arguments: ["close", "reset"]) func anUpstreamThatEndsAtAnyByteIsTapedAsWhatCame(_ how: String) throws {
    let response = Array(Self.response.utf8)
    let count = Mutex(0)
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(Array(response[..<count.withLock { $0 }]))
      if how == "reset" { peer.reset() }
    }
    let rig = try Rig(to: upstream.url)
    var answers: [CallID: Response] = [:]
    for sent in 0...response.count {
      count.withLock { $0 = sent }
      let answer = try rig.exchange()
      answers[try #require(answer.call)] = answer
      guard answer.status == 200 else {
        #expect(answer.status == 502 && answer.isWhole, "\(sent) bytes")
        #expect(how == "reset" || sent < streamHead.utf8.count, "\(sent) bytes")
        continue
      }
      #expect(Self.frames.hasPrefix(answer.text), "\(sent) bytes")
      // A reset may take what was on its way.
      // The last line feed says nothing that was not known.
      if how == "close" { #expect(answer.isWhole == (sent >= response.count - 1), "\(sent) bytes") }
    }
    rig.stop()
    let tapes = try rig.tapes()
    #expect(tapes.count == response.count + 1)
    for call in tapes {
      // What the client was told is what the tape says.
      let answer = try #require(answers[call.open.id])
      guard answer.status == 200 else {
        #expect(
          call.end?.cause == .upstreamFailed && call.raw.isEmpty && call.head == nil,
          "\(call.end) \(call.head) \(call.raw.count) \(answer.text)")
        continue
      }
      #expect(call.raw == answer.body)
      #expect(call.end?.cause == (answer.isWhole ? .endOfBody : .upstreamClosed), "\(answer.text)")
      #expect(integrityProblem(of: call) == nil)
    }
  }

  /// A request that never came whole is no call; the proxy goes on.
  @Test(arguments: ["close", "reset"]) func aClientThatIsGoneAtAnyByteOfItsRequestLeavesNothing(_ how: String) throws {
    let upstream = try ScriptedUpstream(answering: Self.response)
    let rig = try Rig(to: upstream.url)
    let request = Array(post().utf8)
    for sent in 0..<request.count {
      let socket = try rig.connect()
      try socket.send(Array(request[..<sent]))
      if how == "reset" { socket.reset() } else { socket.close() }
    }
    #expect(try rig.exchange().text == Self.frames)
    try rig.wait { $0.openConnections <= 1 }
    rig.stop()
    #expect(upstream.requests.count == 1)
    #expect(try rig.tapes().count == 1)
  }

  /// The client goes after any of the pieces that it was sent: what it got is on tape.
  @Test(arguments: 0...3, ["close", "reset"])
  func aClientThatIsGoneAfterAnyPieceIsOnTapeWithIt(_ pieces: Int, _ how: String) throws {
    let gate = Gate()
    let noticed = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead)
      for piece in 0..<pieces { try peer.send(chunk("data: \(piece)")) }
      try gate.pass()
      _ = try? peer.receive()
      noticed.open()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    var got = try socket.receive(until: "\r\n\r\n")
    for piece in 0..<pieces { got += try socket.receive(until: "data: \(piece)") }
    if how == "reset" { socket.reset() } else { socket.close() }
    gate.open()
    try noticed.pass()
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.raw == Array((0..<pieces).map { "data: \($0)" }.joined().utf8))
    #expect(call.head?.status == 200 && call.end?.cause == .clientClosed)
    #expect(call.end?.clientClosedNs != nil)
  }

  /// Somebody sets the wall clock while a call streams: it is on tape, and the frames' times know nothing of it.
  @Test(arguments: [-3_600_000_000_000, 0, 7_000_000_000])
  func aWallClockThatIsSetIsRecorded(stepNs: Int64) throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      try gate.pass()
      try peer.send(chunk("data: [DONE]\n\n") + lastChunk)
      _ = try? peer.receive()
    }
    let clock = SteppingClock()
    let rig = try Rig(to: upstream.url) { $0.recorder.clock = clock }
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    clock.step(stepNs)
    gate.open()
    _ = try socket.receive(until: "0\r\n\r\n")
    socket.close()
    // Ids rise all the same.
    gate.open()
    let next = try rig.exchange().call
    rig.stop()
    let call = try #require(try rig.tapes().first)
    let step = try #require(call.end?.clockStepNs)
    // The clocks are looked at one after the other: what lies between is not the step, and less than a second.
    #expect(abs(step - stepNs) < 1_000_000_000)
    #expect(call.frameOffsetsNs == call.frameOffsetsNs.sorted() && (call.frameOffsetsNs.first ?? -1) >= 0)
    #expect((call.end?.offsetNs ?? .max) < 3_600_000_000_000)
    #expect(try #require(next) > call.open.id)
  }
}

/// The machine's clocks, of which the wall's can be set.
private final class SteppingClock: TapeClock {
  private let offsetNs = Mutex<Int64>(0)

  func monotonicNs() -> Int64 { SystemClock().monotonicNs() }
  func wallNs() -> Int64 { SystemClock().wallNs() + offsetNs.withLock { $0 } }
  func step(_ ns: Int64) { offsetNs.withLock { $0 += ns } }
}
