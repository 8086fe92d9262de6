import TapeRecorder
import TapeTypes
import Testing

struct UpstreamURLTests {
  @Test(arguments: [
    ("https://api.orq.ai", "https://api.orq.ai", ""), ("https://api.orq.ai/", "https://api.orq.ai", ""),
    ("http://127.0.0.1:9100/pre/fix/", "http://127.0.0.1:9100", "/pre/fix"),
    ("https://h:443/x", "https://h", "/x"), ("http://h:443/x", "http://h:443", "/x"),
    ("http://[::1]:8080/a", "http://[::1]:8080", "/a"), ("HTTPS://H/a/../b", "https://H", "/a/../b"),
  ])
  func originAndPrefixAreReadOff(_ text: String, _ origin: String, _ prefix: String) throws {
    let url = try UpstreamURL(text)
    #expect(url.origin == origin)
    #expect(url.prefix == prefix)
  }

  @Test func aKeyInThePrefixIsSentAndNotShown() throws {
    let url = try UpstreamURL("https://u:p@h/gateway/sk-1234567890123456/v1")
    #expect(url.prefix == "/gateway/sk-1234567890123456/v1" && "\(url)" == "https://h/gateway/[redacted]/v1")
  }

  @Test func userinfoBecomesAuthorizationAndIsNeverShown() throws {
    let url = try UpstreamURL("https://user:p%40ss@h/x?q=1")
    #expect(url.authorization == "Basic dXNlcjpwQHNz")
    #expect(url.description == "https://h/x")
    #expect(url.target == "/x?q=1")
  }

  @Test(arguments: ["", "api.orq.ai", "ftp://h", "http://", "/path", "http://h:99999", "http://a b/", "localhost:80"])
  func anythingElseIsRefusedWithoutQuotingIt(_ text: String) {
    let error = #expect(throws: TapeError.self) { try UpstreamURL(text) }
    #expect(error?.code == .usage)
  }
}
