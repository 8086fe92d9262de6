import TapeRecorder
import TapeTypes
import Testing

struct HeaderRulesTests {
  @Test func fieldsOfOneConnectionAreNotPassedOn() {
    let headers = [
      HeaderField("Connection", "keep-alive, X-Mine"), HeaderField("Keep-Alive", "timeout=5"),
      HeaderField("x-mine", "1"), HeaderField("TE", "trailers"), HeaderField("Transfer-Encoding", "chunked"),
      HeaderField("Upgrade", "h2c"), HeaderField("Proxy-Connection", "close"),
      HeaderField("Proxy-Authorization", "Basic x"), HeaderField("Trailer", "x"), HeaderField("X-Theirs", "2"),
      HeaderField("x-theirs", "3"),
    ]
    #expect(HeaderRules.endToEnd(headers) == [HeaderField("X-Theirs", "2"), HeaderField("x-theirs", "3")])
  }

  @Test func whatTheRecorderSetsItselfIsReplaced() throws {
    let headers = [
      HeaderField("Host", "proxy"), HeaderField("Content-Length", "3"), HeaderField("Accept-Encoding", "gzip, deflate"),
      HeaderField("Expect", "100-continue"), HeaderField("X-Tapedeck-Identity", "bob"),
      HeaderField("Authorization", "Bearer client"), HeaderField("Accept", "text/event-stream"),
    ]
    let forwarded = UpstreamRequest.forwarded(headers, to: try UpstreamURL("http://u:p@h"))
    #expect(
      forwarded == [
        HeaderField("Authorization", "Bearer client"), HeaderField("Accept", "text/event-stream"),
        HeaderField("Accept-Encoding", "identity"),
      ])
    let anonymous = UpstreamRequest.forwarded([], to: try UpstreamURL("http://u:p@h"))
    #expect(anonymous.first("authorization") == "Basic dTpw")
  }

  @Test(arguments: [
    ("text/event-stream", "text/event-stream"), ("Text/Event-Stream ; charset=utf-8", "text/event-stream"),
    ("application/json;x=text/event-stream", "application/json"), ("", ""),
  ])
  func theMediaTypeIsReadWithoutParameters(_ value: String, _ expected: String) {
    #expect(HeaderRules.mediaType(value) == expected)
  }
}
