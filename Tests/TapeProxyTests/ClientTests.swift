import TapeArchive
import Glibc
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// Clients that leave, read slowly, speak oddly.
struct ClientTests {
  @Test(arguments: ["close", "reset"])
  func aClientThatLeavesEndsTheCallAndUpstream(_ how: String) throws {
    let noticed = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      _ = try? peer.receive()  // Returns when the proxy closes.
      noticed.open()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    if how == "close" { socket.close() } else { socket.reset() }
    try noticed.pass()
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.raw == Array("data: 1\n\n".utf8))
    #expect(call.end?.cause == .clientClosed)
    #expect((call.end?.clientClosedNs ?? 0) > 0)
  }

  /// It has said all it had to say, and reads on: with a chunked body, one with a length, and none yet.
  @Test(arguments: [streamHead, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 18\r\n\r\n"])
  func aClientThatSendsNoMoreIsServed(_ head: String) throws {
    let (before, inside) = (Gate(), Gate())
    let isChunked = head == streamHead
    let upstream = try ScriptedUpstream { peer, upstream in
      while let _ = try upstream.request(from: peer) {
        try before.pass()
        try peer.send(head + (isChunked ? chunk("data: 1\n\n") : "data: 1\n\n"))
        try inside.pass()
        try peer.send(isChunked ? chunk("data: 2\n\n") + lastChunk : "data: 2\n\n")
      }
    }
    let rig = try Rig(to: upstream.url)
    for closesEarly in [true, false] {
      let socket = try rig.connect()
      try socket.send(post())
      if closesEarly {
        socket.halfClose()
        #expect(try socket.receive(until: "\r\n\r\n") == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
      }
      before.open()
      var received = try socket.receive(until: "data: 1\n\n")
      if !closesEarly { socket.halfClose() }
      if isChunked, !closesEarly { received += try socket.receive(until: "\r\n0") }
      inside.open()
      received += try socket.receiveAll()
      #expect(String(decoding: received, as: UTF8.self).contains("data: 2\n\n"))
      #expect(!isChunked || received.suffix(5).elementsEqual("0\r\n\r\n".utf8))
    }
    rig.stop()
    let calls = try rig.tapes()
    #expect(calls.map { $0.end?.cause } == [.endOfBody, .endOfBody])
    #expect(calls.allSatisfy { $0.raw == Array("data: 1\n\ndata: 2\n\n".utf8) })
  }

  @Test func aClientThatLeavesBehindDoneIsNormalAndUpstreamIsReadOn() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n") + chunk("data: [DO") + chunk("NE]\n\n"))
      try gate.pass()
      try peer.send(chunk(": bye\n\n") + lastChunk)
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "NE]\n\n")
    socket.close()
    try rig.wait { $0.openConnections == 0 }
    gate.open()
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.end?.cause == .endOfBody)
    #expect((call.end?.clientClosedNs ?? 0) > 0)
    #expect(call.raw == Array("data: 1\n\ndata: [DONE]\n\n: bye\n\n".utf8))
  }

  @Test func drainOnAbortReadsUpstreamToItsEnd() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      try gate.pass()
      try peer.send(chunk("data: 2\n\n") + lastChunk)
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url) { $0.drainOnAbort = true }
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    socket.close()
    try rig.wait { $0.openConnections == 0 }
    gate.open()
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.end?.cause == .endOfBody)
    #expect((call.end?.clientClosedNs ?? 0) > 0)
    #expect(call.frameCount == 2)
  }

  @Test func aClientThatLeavesBeforeTheHeadIsOnTape() throws {
    let arrived = Gate()
    let noticed = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      arrived.open()
      _ = try? peer.receive()
      noticed.open()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    try arrived.pass()
    socket.close()
    try noticed.pass()
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.head == nil)
    #expect(call.end?.cause == .clientClosed)
  }

  /// 64 MB to a client that does not read: what is in flight is bounded, and nothing is lost.
  @Test func aSlowReaderPausesUpstream() throws {
    let frame = "data: " + String(repeating: "x", count: 65_528) + "\n\n"
    let count = 1000
    let sent = Counter()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead)
      for _ in 0..<count {
        try peer.send(chunk(frame))
        sent.bump()
      }
      try peer.send(lastChunk)
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect(receiveBuffer: 4096)
    try socket.send(post())
    // Until upstream has stood still for a while: its bytes fill the sockets and the proxy's limit, and no more.
    var before = -1
    while sent.value != before {
      before = sent.value
      usleep(200_000)
    }
    #expect(before < count / 2)
    #expect(rig.proxy.counters.bytes < 40 << 20)
    let response = try Response(from: socket)
    rig.stop()
    #expect(response.isWhole)
    #expect(response.body.count == frame.utf8.count * count)
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == response.body)
    #expect(call.frameCount == count)
  }

  @Test func aClientThatStopsReadingForGoodIsGivenUp() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead)
      while true { try peer.send(chunk("data: " + String(repeating: "x", count: 65_528) + "\n\n")) }
    }
    let rig = try Rig(to: upstream.url) { $0.recorder.idleTimeoutSeconds = 0.2 }
    let socket = try rig.connect(receiveBuffer: 4096)
    try socket.send(post())
    try rig.wait { $0.calls == 1 && $0.openCalls == 0 }
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.end?.cause == .clientClosed)
    #expect(call.end?.detail?.contains("stopped reading") == true)
  }
}
