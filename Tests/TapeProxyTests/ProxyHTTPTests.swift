import TapeArchive
import TapeHTTP
import TapeProxy
import TapeRecorder
import TapeTypes
import Testing

/// HTTP as a reverse proxy has to speak it.
struct ProxyHTTPTests {
  @Test func oneConnectionCarriesManyRequests() throws {
    let upstream = try ScriptedUpstream(answering: streamHead + chunk("data: 1\n\n") + lastChunk)
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    for _ in 0..<5 {
      try socket.send(post())
      let response = try Response(from: socket)
      #expect(response.text == "data: 1\n\n")
    }
    socket.close()
    rig.stop()
    #expect(upstream.requests.count == 5)
    #expect(upstream.connections == 1)
    let calls = try rig.tapes()
    #expect(calls.count == 5)
    #expect(calls.map(\.open.startedAtNs) == calls.map(\.open.startedAtNs).sorted())
  }

  /// Pipelined requests in one write, with each kind of body.
  @Test func pipelinedRequestsAreAnsweredInTheirOrder() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      while let request = try upstream.request(from: peer) {
        let text = request.line + "|" + String(decoding: request.body, as: UTF8.self)
        try peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
      }
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    let chunked =
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    let get = "GET /g HTTP/1.1\r\nHost: h\r\n\r\n"
    try socket.send(post("/a", "first") + get + chunked + chunked + get + "\r\n" + post("/b", "last"))
    var texts: [String] = []
    for _ in 0..<6 { texts.append(try Response(from: socket).text) }
    rig.stop()
    #expect(
      texts == [
        "POST /a HTTP/1.1|first", "GET /g HTTP/1.1|", "POST /c HTTP/1.1|abcde", "POST /c HTTP/1.1|abcde",
        "GET /g HTTP/1.1|", "POST /b HTTP/1.1|last",
      ])
    #expect(try rig.tapes().isEmpty)
  }

  @Test func aRequestInSingleBytesIsRead() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    for byte in post("/x", "{}").utf8 { try socket.send([byte]) }
    #expect(try Response(from: socket).text == "ok")
    #expect(upstream.requests.first?.body == Array("{}".utf8))
  }

  @Test(arguments: [
    ("", "/v2/x?a=%20b&c=//", "/v2/x?a=%20b&c=//"), ("/pre", "/v2/x", "/pre/v2/x"),
    ("/pre/", "/a/../b/./c", "/pre/a/../b/./c"),
    ("/p/q", "/", "/p/q/"), ("", "//double/", "//double/"), ("", "/a|b'\"{}", "/a|b'\"{}"),
  ])
  func theTargetReachesUpstreamAsItWasBehindThePrefix(_ prefix: String, _ target: String, _ expected: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url + prefix)
    #expect(try rig.exchange("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n").status == 200)
    #expect(upstream.requests.first?.line == "GET \(expected) HTTP/1.1")
  }

  @Test func hopByHopFieldsStayOnTheirConnectionBothWays() throws {
    let upstream = try ScriptedUpstream(
      answering:
        "HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok"
    )
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange(
      "GET /x HTTP/1.1\r\nHost: proxy\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Connection: x\r\nX-Theirs: 2\r\nX-Tapedeck-Thread: t\r\nX-Nothing: \t \r\ntraceparent: 00-a-b-01 \t\r\n\r\n"
    )
    let request = try #require(upstream.requests.first)
    for name in ["connection", "x-mine", "te", "proxy-connection", "x-tapedeck-thread", "user-agent", "accept", "via"] {
      #expect(request.header(name) == nil, "\(name)")
    }
    #expect(request.header("host") == "127.0.0.1:\(upstream.port)")
    #expect(request.header("x-theirs") == "2")
    #expect(request.header("x-nothing") == "")
    #expect(request.header("traceparent") == "00-a-b-01")
    for name in ["connection", "x-hop", "keep-alive", "x-tapedeck-call"] {
      #expect(response.headers.first(name) == nil, "\(name)")
    }
    #expect(response.headers.first("x-end") == "2")
    #expect(response.headers.first("x-empty") == "")
  }

  @Test func otherCallsPassWithoutTapeWhateverTheyAccept() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange("GET /v2/deployments HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n")
    rig.stop()
    #expect(response.text == "ok")
    #expect(response.call == nil)
    #expect(try rig.tapes().isEmpty)
    #expect(rig.proxy.counters.passedThrough == 1)
  }

  @Test func anEventStreamIsTapedOnAnyPathAndMethod() throws {
    let upstream = try ScriptedUpstream(
      answering:
        "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nContent-Length: 9\r\n\r\ndata: 1\n\n")
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange("GET /anything HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n")
    rig.stop()
    let call = try rig.tape(try #require(response.call))
    #expect(call.raw == response.body)
    #expect(call.open.method == "GET")
    #expect((call.head?.offsetNs ?? 0) > 0)
  }

  @Test func aHEADResponseHasLengthAndNoBody() throws {
    let upstream = try ScriptedUpstream { peer, upstream in
      while let _ = try upstream.request(from: peer) {
        try peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
      }
    }
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    for _ in 0..<2 {
      try socket.send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n")
      let response = try Response(from: socket, method: "HEAD")
      #expect(response.headers.first("content-length") == "1234")
    }
    #expect(upstream.requests.map(\.line) == ["HEAD /x HTTP/1.1", "HEAD /x HTTP/1.1"])
  }

  @Test(arguments: ["PUT", "PATCH", "DELETE", "OPTIONS"])
  func othersMethodsPassWithTheirBodies(_ method: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send("\(method) /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
    #expect(try Response(from: socket).status == 200)
    try socket.send("\(method) /y HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try Response(from: socket).status == 200)
    #expect(upstream.requests.map(\.line) == ["\(method) /x HTTP/1.1", "\(method) /y HTTP/1.1"])
    #expect(upstream.requests.map(\.body) == [Array("abc".utf8), []])
  }

  @Test func anHTTP10ClientGetsABodyThatEndsWithTheConnection() throws {
    let upstream = try ScriptedUpstream(answering: streamHead + chunk("data: 1\n\n") + lastChunk)
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send("POST /v2/deployments/stream HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
    let response = try Response(from: socket)
    #expect(response.text == "data: 1\n\n")
    #expect(response.isWhole)
    #expect(response.headers.first("transfer-encoding") == nil)
    #expect(response.headers.first("connection") == "close")
  }

  @Test func aBigBodyPassesAndIsOnTape() throws {
    let body = String(repeating: "0123456789", count: 500_000)
    let upstream = try ScriptedUpstream(answering: streamHead + chunk("data: 1\n\n") + lastChunk)
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange(post("/v2/deployments/stream", body))
    rig.stop()
    #expect(response.status == 200)
    #expect(upstream.requests.first?.body.elementsEqual(body.utf8) == true)
    #expect(try rig.tape(try #require(response.call)).open.body.elementsEqual(body.utf8))
  }

  @Test func aClientThatWaitsForLeaveToSendGetsIt() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    let socket = try rig.connect()
    try socket.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    #expect(try socket.receive(until: "\r\n\r\n") == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
    try socket.send("body")
    #expect(try Response(from: socket).text == "ok")
    #expect(upstream.requests.first?.header("expect") == nil)
    #expect(upstream.requests.first?.body == Array("body".utf8))
  }

  @Test(arguments: [
    ("GARBAGE\r\n\r\n", 400), ("GET /x HTTP/1.1\r\n\r\n", 400), ("GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET /x HTTP/1.1\r\nHost: h\r\nBad Header: 1\r\n\r\n", 400),
    ("GET http://evil/x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", 405), ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    ("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n", 413),
    (
      "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + String(repeating: "a", count: 2048)
        + "\r\n", 413
    ),
    ("GET /x HTTP/1.1\r\nHost: h\r\nX-Long: " + String(repeating: "a", count: 9000) + "\r\n\r\n", 431),
    ("GET /" + String(repeating: "a", count: 9000), 431),
  ])
  func whatIsNotTakenGetsAReasonAndClosesTheConnection(_ request: String, _ status: Int) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url) {
      $0.limits.maxHeaderBytes = 8192
      $0.limits.maxBodyBytes = 2000
    }
    let socket = try rig.connect()
    try socket.send(request)
    let response = try Response(from: socket)
    #expect(response.status == status)
    #expect(response.text.contains("\"source\":\"tapedeck\""))
    #expect(try socket.receiveAll().isEmpty)
    #expect(upstream.requests.isEmpty)
    // The proxy is still there.
    #expect(try rig.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status == 200)
  }

  /// What Java's HttpClient sends. NIO's decoder is deaf behind it, and must not get to another connection.
  @Test(arguments: ["", "body"])
  func anUpgradeNobodyTakesDoesNotHarmTheNextConnection(_ body: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    for _ in 0..<2 {
      let first = try rig.connect()
      try first.send(
        "POST /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      )
      let response = try Response(from: first)
      #expect(response.text == "ok")
      #expect(response.headers.first("connection") == "close")
      #expect(try rig.exchange("GET /y HTTP/1.1\r\nHost: h\r\n\r\n").text == "ok")
    }
    #expect(
      upstream.requests.map(\.line) == ["POST /x HTTP/1.1", "GET /y HTTP/1.1", "POST /x HTTP/1.1", "GET /y HTTP/1.1"])
    #expect(upstream.requests.allSatisfy { $0.header("upgrade") == nil && $0.header("http2-settings") == nil })
  }

  @Test func aLengthBesideChunksIsNotPassedOn() throws {
    let upstream = try ScriptedUpstream(
      answering: streamHead.replacing("\r\n\r\n", with: "\r\nContent-Length: 3\r\n\r\n") + chunk("data: 1\n\n")
        + lastChunk)
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange()
    rig.stop()
    #expect(response.headers.first("content-length") == nil)
    #expect(response.text == "data: 1\n\n")
    #expect(try rig.tape(try #require(response.call)).raw == response.body)
  }

  @Test(arguments: [
    "GET /x HTTP/1.1\nHost: h\n\n", "GET /x HTTP/1.1\r\nHost: h\nX: 1\r\n\r\n", "GET /x HTTP/1.1\r\nHost: h\r\n\n",
  ])
  func aBareLFInTheHeadIsNamed(_ request: String) throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url)
    let response = try rig.exchange(request)
    #expect(response.status == 400)
    #expect(response.text.contains("LF alone"))
  }

  @Test(arguments: ["/no/such/ca.pem", "/"])
  func aCAFileThatCannotBeReadIsRefusedAtTheStart(_ file: String) throws {
    let error = #expect(throws: TapeError.self) {
      try Rig(to: "https://localhost:1") { $0.recorder.caFile = file }
    }
    #expect(error?.code == .usage)
    #expect(error?.description.contains("certificate authorities in \(file): ") == true)
  }

  @Test func tooManyConnectionsAre503() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let rig = try Rig(to: upstream.url) { $0.limits.maxConnections = 1 }
    let first = try rig.connect()
    try first.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(try Response(from: first).status == 200)
    #expect(try Response(from: try rig.connect()).status == 503)
    first.close()
  }

  @Test func ensureUsageChangesTheBodyAndSaysSo() throws {
    let upstream = try ScriptedUpstream(answering: streamHead + chunk("data: 1\n\n") + lastChunk)
    let rig = try Rig(to: upstream.url) { $0.ensureUsage = true }
    let response = try rig.exchange(post("/v2/deployments/stream", "{\"key\":\"k\"}"))
    rig.stop()
    let changed = Array("{\"key\":\"k\",\"invoke_options\":{\"include_usage\":true}}".utf8)
    #expect(upstream.requests.first?.body == changed)
    let call = try rig.tape(try #require(response.call))
    #expect(call.open.body == changed)
    #expect(call.open.redactions == ["ensure_usage"])
  }

  @Test func credentialsReachUpstreamAndNothingElse() throws {
    let upstream = try ScriptedUpstream(
      answering: streamHead.replacing("\r\n\r\n", with: "\r\nSet-Cookie: sid=COOKIESECRET\r\n\r\n")
        + chunk("data: 1\n\n") + lastChunk)
    let rig = try Rig(to: "http://user:URLSECRET@127.0.0.1:\(upstream.port)")
    let response = try rig.exchange(
      post("/v2/deployments/stream?api_key=QUERYSECRET&x=1", "{}", "X-Api-Key: KEYSECRET\r\nCookie: a=JARSECRET\r\n"))
    rig.stop()
    let request = try #require(upstream.requests.first)
    #expect(request.header("x-api-key") == "KEYSECRET")
    #expect(request.line.contains("QUERYSECRET"))
    #expect(request.header("authorization") == "Basic dXNlcjpVUkxTRUNSRVQ=")
    #expect(response.headers.first("set-cookie") == "sid=COOKIESECRET")
    let call = try rig.tape(try #require(response.call))
    #expect(call.open.path == "/v2/deployments/stream?api_key=[redacted]&x=1")
    #expect(call.open.headers.first("x-api-key") == "[redacted]")
    #expect(call.head?.headers.first("set-cookie") == "[redacted]")
    #expect(call.open.keyFingerprint?.count == 16)
    let written = try rig.everyByte()
    for secret in ["COOKIESECRET", "URLSECRET", "QUERYSECRET", "KEYSECRET", "JARSECRET", "dXNlcjpVUkxTRUNSRVQ"] {
      #expect(!written.contains(secret), "\(secret) is on disk")
      #expect(!rig.logged.all.contains { $0.contains(secret) }, "\(secret) is in the log")
    }
  }

  @Test func twoProxiesShareAStore() throws {
    let upstream = try ScriptedUpstream(answering: streamHead + chunk("data: 1\n\n") + lastChunk)
    let first = try Rig(to: upstream.url)
    let second = try Rig(to: upstream.url, directory: first.directory)
    for _ in 0..<3 {
      #expect(try first.exchange().status == 200)
      #expect(try second.exchange().status == 200)
    }
    first.stop()
    second.stop()
    let calls = try first.tapes()
    #expect(calls.count == 6)
    #expect(calls.allSatisfy { $0.end?.cause == .endOfBody })
  }

  @Test func aPortThatIsTakenIsAClearError() throws {
    let upstream = try ScriptedUpstream(answering: ok)
    let error = #expect(throws: TapeError.self) {
      try Rig(to: upstream.url) { $0.listenPort = upstream.port }
    }
    #expect(error?.description.contains("cannot listen on 127.0.0.1:\(upstream.port)") == true)
  }
}
