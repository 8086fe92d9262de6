import Glibc
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// Everything that an upstream can do wrong, as the client gets it and as the tape has it.
struct UpstreamFaultTests {
  @Test func aRefusedConnectionIs502WithAReason() throws {
    let free = try ScriptedUpstream(answering: "").port
    let rig = try Rig(to: "http://127.0.0.1:\(free == 1 ? 2 : 1)")
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 502)
    #expect(response.text.contains("\"code\":\"upstream_failed\""))
    #expect(response.text.contains("refused the connection"))
    let call = try rig.tape(try #require(response.call))
    #expect(call.head == nil)
    #expect(call.frameCount == 0)
    #expect(call.end?.cause == .upstreamFailed)
    #expect(call.end?.detail?.contains("refused the connection") == true)
  }

  @Test func anUnknownHostIs502WithAReason() throws {
    let rig = try Rig(to: "http://no-such-host.invalid")
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 502)
    #expect(response.text.contains("cannot resolve the host name"))
    #expect(try rig.tape(try #require(response.call)).end?.cause == .upstreamFailed)
  }

  @Test func silenceIs504AndATimeoutOnTape() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url) { $0.recorder.idleTimeoutSeconds = 0.1 }
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 504)
    #expect(response.text.contains("upstream_timeout"))
    let call = try rig.tape(try #require(response.call))
    #expect(call.end?.cause == .timeout)
    #expect(call.head == nil)
  }

  @Test func silenceInsideABodyCutsTheClient() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url) { $0.recorder.idleTimeoutSeconds = 0.1 }
    let response = try rig.exchange()
    rig.stop()
    #expect(response.text == "data: 1\n\n")
    #expect(!response.isWhole)
    let call = try rig.tape(try #require(response.call))
    #expect(call.end?.cause == .timeout)
    #expect(call.raw == response.body)
  }

  /// How upstream frames the body that it cuts.
  @Test(arguments: [streamHead, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 500\r\n\r\n"])
  func aCutInMidFrameReachesTheClientAsACut(_ head: String) throws {
    let body = "data: {\"a\":1}\n\ndata: {\"b\""
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(head + (head == streamHead ? chunk(body) : body))
    }
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.text == body)
    #expect(!response.isWhole)
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == Array(body.utf8))
    #expect(call.frameCount == 2)
    #expect(call.end?.cause == .upstreamClosed)
    #expect(call.end?.detail != nil)
  }

  @Test func aResetIsACutToo() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      try gate.pass()
      peer.reset()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    _ = try socket.receive(until: "data: 1\n\n")
    gate.open()
    #expect(try !socket.receiveAll().contains("0\r\n\r\n"))
    rig.stop()
    #expect(try rig.tapes().first?.end?.cause == .upstreamClosed)
  }

  @Test func aCutReachesAnHTTP10ClientAsAReset() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: 1\n\n"))
      try gate.pass()
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send("POST /v2/deployments/stream HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
    let start = try socket.receive(until: "data: 1\n\n")
    #expect(!start.contains("Transfer-Encoding"))
    gate.open()
    #expect(throws: SocketError.self) { try socket.receiveAll() }
  }

  @Test func bytesThatAreNotHTTPAre502() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send("SSH-2.0-OpenSSH_9.2\r\n")
    }
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 502)
    #expect(response.text.contains("does not answer in HTTP"))
  }

  @Test func aCloseWithoutAnswerIs502() throws {
    let upstream = try ScriptedUpstream { peer, upstream in _ = try upstream.request(from: peer) }
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 502)
    #expect(response.text.contains("closed the connection without an answer"))
    #expect(try rig.tape(try #require(response.call)).end?.cause == .upstreamFailed)
  }

  @Test(arguments: [
    (401, "application/json", "{\"error\":{\"message\":\"bad key\"}}"), (500, "text/html", "<html>oops</html>"),
    (200, "application/json", "{\"choices\":[]}\n\n{}"), (200, "application/json", ""),
  ])
  func anAnswerThatIsNoStreamIsTapedAsOneFrame(_ status: Int, _ type: String, _ body: String) throws {
    let upstream = try ScriptedUpstream(
      answering:
        "HTTP/1.1 \(status) Whatever\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == status)
    #expect(response.text == body)
    #expect(response.headers.first("content-length") == String(body.utf8.count))
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == response.body)
    #expect(call.frameCount == (body.isEmpty ? 0 : 1))
    #expect(call.head?.status == status)
    #expect(call.end?.cause == .endOfBody)
  }

  @Test func anErrorFrameAndInvalidUTF8PassUnchanged() throws {
    let body: [UInt8] = Array("data: {\"error\":{\"message\":\"x\"}}\n\ndata: ".utf8) + [0xFF, 0xC3, 0x28, 0x0A, 0x0A]
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: \(body.count)\r\n\r\n")
      try peer.send(body)
    }
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.body == body)
    #expect(try rig.tape(try #require(response.call)).raw == body)
  }

  @Test func compressionNobodyAskedForIsUndoneAndSaid() throws {
    // gzip of "data: zipped\n\n"
    let zipped: [UInt8] = [
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0x4b, 0x49, 0x2c, 0x49, 0xb4, 0x52, 0xa8, 0xca, 0x2c,
      0x28, 0x48, 0x4d, 0xe1, 0xe2, 0x02, 0x00, 0x36, 0x15, 0xcb, 0x54, 0x0e, 0x00, 0x00, 0x00,
    ]
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: \(zipped.count)\r\n\r\n"
      )
      try peer.send(zipped)
      _ = try? peer.receive()
    }
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange(post("/v2/deployments/stream", "{}", "Accept-Encoding: gzip, deflate\r\n"))
    rig.stop()
    #expect(response.text == "data: zipped\n\n")
    #expect(response.headers.first("content-encoding") == nil)
    #expect(response.headers.first("content-length") == nil)
    #expect(upstream.requests.first?.header("accept-encoding") == "identity")
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == response.body)
    #expect(call.head?.decoded == "gzip")
  }

  @Test func aCodingThatCannotBeUndoneIs502() throws {
    let upstream = try ScriptedUpstream(
      answering:
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: rot13\r\nContent-Length: 2\r\n\r\nab")
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 502)
    #expect(response.text.contains("rot13"))
  }

  @Test func framesOfTwoMegabytesPassByteForByte() throws {
    let frame = "data: " + String(repeating: "0123456789abcdef", count: 131_072) + "\n\n"
    let body = frame + frame + "data: [DONE]\n\n"
    let upstream = try ScriptedUpstream(answering: streamHead + chunk(body) + lastChunk)
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.text == body)
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == response.body)
    #expect(call.frameCount == 3)
    #expect(call.end?.sha256 != nil)
  }
}
