import TapeProxy
import TapeTypes
import Testing

/// What a proxied stream looks like at its client and on tape.
struct StreamingTests {
  @Test func aStreamReachesClientAndTapeByteForByte() throws {
    let frames = ["data: {\"a\":1}\n\n", ": keep-alive\n\n", "data: \u{FFFD}é\r\n\r\n", "data: [DONE]\n\n"]
    let upstream = try ScriptedUpstream(answering: streamHead + frames.map(chunk).joined() + lastChunk)
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.status == 200)
    #expect(response.isWhole)
    #expect(response.text == frames.joined())
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == response.body)
    #expect(call.frameCount == 4)
    #expect(call.end?.cause == .endOfBody)
    #expect(call.end?.frames == 4)
    #expect(call.end?.bytes == response.body.count)
    #expect(call.head?.status == 200)
    #expect(call.open.path == "/v2/deployments/stream")
    #expect(call.open.body == Array("{\"key\":\"k\",\"stream\":true}".utf8))
    #expect(call.open.origin == .proxy)
    #expect(call.frameOffsetsNs == call.frameOffsetsNs.sorted())
    #expect((call.head?.offsetNs ?? -1) > 0)
  }

  @Test func aPieceOfAFrameArrivesBeforeTheRestIsSent() throws {
    let gate = Gate()
    let upstream = try ScriptedUpstream { peer, upstream in
      _ = try upstream.request(from: peer)
      try peer.send(streamHead + chunk("data: {\"half"))
      try gate.pass()
      try peer.send(chunk("\":1}\n\n") + lastChunk)
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send(post())
    let first = try socket.receive(until: "{\"half")
    #expect(!first.isEmpty)
    // A killed recorder would have on tape what the client has.
    #expect(try rig.everyByte().contains("{\"half"))
    gate.open()
    let rest = try socket.receive(until: "0\r\n\r\n")
    #expect(rest.contains("\":1}\n\n"))
    rig.stop()
    let call = try #require(try rig.tapes().first)
    #expect(call.raw == Array("data: {\"half\":1}\n\n".utf8))
    #expect(call.frameCount == 1)
  }
}
