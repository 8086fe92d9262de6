import TapeDialects
import TapeJSON
import TapeTypes
import Testing

@Suite struct ErrorTests {
  @Test(arguments: [
    (#"{"error":{"code":429,"message":"slow down"}}"#, "slow down", "429" as String?, nil as String?),
    (
      #"{"error":{"code":"rate_limit","message":"slow down","type":"t","param":null}}"#, "slow down", "\"rate_limit\"",
      nil
    ),
    (#"{"code":500,"error":"Internal error","source":"provider"}"#, "Internal error", "500", "provider"),
    (#"{"message":"no such key","code":"not_found"}"#, "no such key", "\"not_found\"", nil),
    (#"{"error":"Bad Request","message":"key is required"}"#, "key is required", nil, nil),
    (#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "Overloaded", nil, nil),
    (#"{"error":{"weird":1}}"#, #"{"weird":1}"#, nil, nil),
  ])
  func theMessageIsFoundInEveryShape(body: String, message: String, code: String?, source: String?) {
    let frame = generation(sse: "data: \(body)\n\n")
    #expect(frame.error?.message == message)
    #expect(frame.error?.code?.compactString == code)
    #expect(frame.error?.source == source)
    #expect(frame.error?.frame == 0)
    #expect(frame.has(.errorFrame) && !frame.complete && frame.hasErrorFrame)

    let answer = generation(of: call(Array(body.utf8), status: 401, contentType: "application/json; charset=utf-8"))
    #expect(answer.error?.message == message)
    #expect(answer.defects.map(\.kind) == [.httpError])
    #expect(answer.defects.first?.message == "HTTP 401: \(message)")
    #expect(!answer.complete)
  }

  @Test(arguments: [
    (#"{"detail":"Not authenticated"}"#, "Not authenticated"), (#"{"message":"Unauthorized"}"#, "Unauthorized"),
    (#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, "field required"),
    (#"{"errors":[{"message":"first"},{"message":"second"}]}"#, "first"),
    (#"{"title":"Bad Gateway","detail":"upstream timed out","status":502}"#, "upstream timed out"),
    (#"{"status":"failed"}"#, "HTTP 400, application/json, 19 bytes"),
  ])
  func anErrorAnswerShowsWhatItSays(body: String, message: String) {
    let answer = generation(of: call(Array(body.utf8), status: 400, contentType: "application/json"))
    #expect(answer.error?.message == message)
    #expect(answer.has(.httpError))
  }

  @Test(arguments: [
    ("<html><head><TITLE>502 Bad\n Gateway</TITLE></head></html>", "text/html", "502 Bad Gateway"),
    ("<html>none</html>", "text/html; charset=utf-8", "HTTP 502, text/html, 17 bytes"),
    ("upstream connect error\n", "text/plain", "upstream connect error"), ("", "text/html", "HTTP 502, empty body"),
    ("\u{1}\u{2}", "application/octet-stream", "HTTP 502, application/octet-stream, 2 bytes"),
  ])
  func anErrorPageIsNamed(body: String, type: String, message: String) {
    let answer = generation(of: call(Array(body.utf8), status: 502, contentType: type))
    #expect(answer.error?.message == message)
    #expect(answer.has(.httpError))
    #expect(answer.has(.empty) == body.isEmpty)
    #expect(!answer.complete)
  }

  @Test func anErrorEventIsAnErrorWhateverItsData() {
    let text = generation(sse: "event: error\ndata: upstream died\n\n")
    #expect(text.error?.message == "upstream died")
    let json = generation(sse: "event: error\ndata: {\"detail\":\"quota\"}\n\ndata: [DONE]\n\n")
    #expect(json.error?.message == "quota")
    #expect(!json.complete)
  }

  @Test func theFirstErrorIsShownAndEachIsADefect() {
    let generation = generation(sse: "data: {\"error\":\"one\"}\n\ndata: {\"error\":\"two\"}\n\n")
    #expect(generation.error?.message == "one")
    #expect(generation.defects.filter { $0.kind == .errorFrame }.map(\.message) == ["one", "two"])
  }

  @Test(arguments: [
    #""error":null"#, #""error":"""#, #""error":{}"#, #""error":false"#, #""code":7"#, #""message":"hi""#,
  ])
  func fieldsThatSayNothingAreNoError(field: String) {
    let generation = generation(
      sse: "data: {\(field),\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n")
    #expect(generation.error == nil)
    #expect(generation.complete && generation.content == "a")
  }

  @Test func anErrorInAStreamWithAnErrorStatusGivesTheMessage() {
    let body = Array("event: error\ndata: {\"message\":\"quota\",\"code\":1}\n\n".utf8)
    let generation = generation(of: call(body, status: 429))
    #expect(generation.error?.message == "quota")
    #expect(Set(generation.defects.map(\.kind)) == [.errorFrame, .httpError])
  }

  @Test func noResponseIsEmpty() {
    let generation = generation(of: call([], status: nil, contentType: nil))
    #expect(generation.defects.map(\.kind) == [.empty])
  }
}
