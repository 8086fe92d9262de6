import TapeArchive
import TapeHTTP
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// Bodies that go upstream while they come in, and clients that do not send them to the end.
struct UploadTests {
  private static let head = "POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n"

  @Test func aBodyThatStandsStillIs408AndUpstreamLearnsOfIt() throws {
    let ended = Gate()
    let upstream = try ScriptedUpstream { peer, _ in
      _ = try? peer.receiveAll()
      ended.open()
    }
    let rig = try Rig(to: upstream.url) {
      $0.limits.requestTimeoutNs = 100_000_000
      $0.recorder.idleTimeoutSeconds = 0.2
    }
    let socket = try rig.connect()
    try socket.send(Self.head)
    try socket.send([UInt8](repeating: 0x61, count: 400_000))
    let response = try Response(from: socket)
    #expect(response.status == 408)
    #expect(response.text.contains("\"request_timeout\""))
    try ended.pass()
    #expect(try socket.receiveAll().isEmpty)
  }

  /// With an upstream that takes nothing the proxy reads no more: the end of the client's side is all that shows, and
  /// what the kernel holds for the proxy comes before it.
  @Test func aClientThatLeavesAnUploadThatUpstreamDoesNotTakeIsNoticed() throws {
    // The kernel lets nobody in: one connection waits to be accepted, and no more may.
    let (upstream, port) = try Socket.listening(backlog: 0)
    let queued = try Socket(port: port)
    let rig = try Rig(to: "http://127.0.0.1:\(port)") { $0.recorder.idleTimeoutSeconds = 3600 }
    let socket = try rig.connect()
    try socket.send(Self.head)
    try socket.send([UInt8](repeating: 0x61, count: 300_000))
    try rig.wait { $0.openConnections == 1 }
    socket.close()
    try rig.wait { $0.openConnections == 0 }
    queued.close()
    upstream.close()
  }

  @Test(arguments: 0..<20)
  func chunksInAnyPiecesAreOneBody(_ seed: UInt64) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    var random = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
    func next(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % bound
    }
    let body = "{\"text\":\"" + String(repeating: "abc\\r\\n0", count: 40) + "\"}"
    var wire = "POST /v2/deployments/stream HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    var rest = Substring(body)
    while !rest.isEmpty {
      let piece = String(rest.prefix(1 + next(60)))
      rest = rest.dropFirst(piece.count)
      let size = String(repeating: "0", count: next(3)) + String(piece.utf8.count, radix: 16, uppercase: next(2) == 0)
      wire += size + ["", ";a", ";b=\"c;d\""][next(3)] + "\r\n" + piece + "\r\n"
    }
    wire += "0\r\n" + ["", "X-Sum: 1\r\n", "A:\r\nB: c d\r\n"][next(3)] + "\r\n"
    // The next request begins right behind it.
    let bytes = Array((wire + "GET /x HTTP/1.1\r\nHost: h\r\n\r\n").utf8)
    var position = 0
    while position < bytes.count {
      let end = min(bytes.count, position + 1 + next(90))
      try socket.send(Array(bytes[position..<end]))
      position = end
    }
    #expect(try Response(from: socket).status == 200)
    #expect(try Response(from: socket).status == 200)
    #expect(upstream.requests.map(\.line) == ["POST /v2/deployments/stream HTTP/1.1", "GET /x HTTP/1.1"])
    #expect(upstream.requests.first?.body == Array(body.utf8))
  }
}
