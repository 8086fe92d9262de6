import TapeRecorder
import TapeTypes
import Testing

struct SecretsTests {
  private let secrets = Secrets(fingerprintKey: Array(0..<32))

  private func cleaned(_ headers: [HeaderField], path: String = "/v1/x") -> CallOpen {
    var open = CallOpen(
      id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: path, headers: headers, salt: [])
    secrets.clean(&open)
    return open
  }

  @Test(arguments: [
    "Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "api-key", "apikey",
    "x-goog-api-key", "X-Auth-Token", "X-Amz-Security-Token", "x-client-secret", "Ocp-Apim-Subscription-Key",
    "X-Password", "x-amz-signature",
  ])
  func credentialHeadersAreReplaced(_ name: String) {
    let open = cleaned([HeaderField(name, "Bearer hunter2"), HeaderField("Accept", "x")])
    #expect(open.headers == [HeaderField(name, "[redacted]"), HeaderField("Accept", "x")])
    #expect(open.redactions == ["header:" + name.lowercased()])
  }

  @Test(arguments: [
    "Idempotency-Key", "Content-Type", "X-RateLimit-Remaining-Tokens", "X-Tapedeck-Identity", "traceparent",
    "X-ORQ-IDENTITY-ID", "User-Agent",
  ])
  func otherHeadersStay(_ name: String) {
    let open = cleaned([HeaderField(name, "value")])
    #expect(open.headers == [HeaderField(name, "value")])
    #expect(open.redactions.isEmpty)
    #expect(open.keyFingerprint == nil)
  }

  @Test(arguments: [
    ("/m:generateContent?key=AIzaSecret&alt=sse", "/m:generateContent?key=[redacted]&alt=sse"),
    ("/x?a=1&access_token=s", "/x?a=1&access_token=[redacted]"), ("/x?api%5Fkey=s", "/x?api%5Fkey=[redacted]"),
    ("/x?API-KEY=s&sig=t&token=", "/x?API-KEY=[redacted]&sig=[redacted]&token=[redacted]"),
    ("/x?X-Amz-Signature=a&monkey=b&page_token_count=3", "/x?X-Amz-Signature=[redacted]&monkey=b&page_token_count=3"),
    ("/x?", "/x?"), ("/x?flag&b", "/x?flag&b"), ("/key=1", "/key=1"),
  ])
  func secretQueryValuesAreReplaced(_ path: String, _ expected: String) {
    #expect(cleaned([], path: path).path == expected)
  }

  @Test func aSecretInAnotherHeadersURLIsReplaced() {
    let open = cleaned([HeaderField("Referer", "https://h/p?token=s&q=1")])
    #expect(open.headers == [HeaderField("Referer", "https://h/p?token=[redacted]&q=1")])
    let response = Secrets.clean([HeaderField("Location", "/next?sig=s"), HeaderField("Set-Cookie", "sid=s")])
    #expect(response == [HeaderField("Location", "/next?sig=[redacted]"), HeaderField("Set-Cookie", "[redacted]")])
  }

  @Test func fingerprintsTellKeysApartWithoutTheScheme() throws {
    let bearer = try #require(cleaned([HeaderField("Authorization", "Bearer k1")]).keyFingerprint)
    #expect(bearer.utf8.count == 16)
    #expect(cleaned([HeaderField("x-api-key", "k1")]).keyFingerprint == bearer)
    #expect(cleaned([HeaderField("x-api-key", "k2")]).keyFingerprint != bearer)
    #expect(cleaned([], path: "/x?key=k1").keyFingerprint == bearer)
    #expect(Secrets(fingerprintKey: Array(1..<33)).fingerprint("k1") != bearer)
    #expect(cleaned([HeaderField("Cookie", "sid=1")]).keyFingerprint == nil)
  }
}
