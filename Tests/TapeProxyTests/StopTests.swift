import TapeArchive
import TapeHTTP
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// How a proxy ends.
struct StopTests {
  @Test func aStopLetsOpenStreamsEndAndTakesNoNewOnes() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      try gate.pass()
      try peer.send(chunk("data: 2\n\n") + lastChunk)
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url)
    let idle = try rig.connect()
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    try rig.wait { $0.openConnections == 2 }
    rig.proxy.stop()
    // The idle connection is closed, and the port with it.
    #expect(try idle.receiveAll().isEmpty)
    #expect(throws: SocketError.self) { try rig.connect() }
    gate.open()
    _ = try socket.receive(until: "0\r\n\r\n")
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.end?.cause == .endOfBody)
    #expect(call.frameCount == 2)
  }

  @Test func aHalfHeadHoldsAStopUpForAMoment() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url) {
      $0.limits.lingerNs = 50_000_000
      $0.recorder.idleTimeoutSeconds = 0.1
    }
    let socket = try rig.connect()
    try socket.send("POST /v2/deployments/stream HTTP/1.1\r\nHo")
    // Answered behind the half one was read.
    #expect(try rig.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status == 200)
    rig.proxy.stop()
    let response = try Response(from: socket)
    #expect(response.status == 503)
    #expect(response.text.contains("\"stopping\""))
    rig.proxy.waitUntilStopped()
    rig.stop()
  }

  @Test func aSecondStopEndsAtOnceAndTheCallIsLost() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    rig.proxy.stop()
    rig.proxy.stopNow()
    rig.proxy.waitUntilStopped()
    #expect(try !socket.receiveAll().contains("0\r\n\r\n"))
    let call = try #require(try rig.tapes().first)
    #expect(call.end == nil)
    #expect(!call.isLive)
    #expect(call.raw == Array("data: 1\n\n".utf8))
  }
}
