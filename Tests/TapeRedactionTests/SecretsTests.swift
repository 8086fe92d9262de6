import TapeRedaction
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
    "X-Password", "x-amz-signature", "Authentication", "X-Custom-Auth", "Helicone-Auth", "X-OAuth", "X-Authtoken",
    "Authentication-Info", "Proxy-Authentication-Info", "Cf-Access-Jwt-Assertion", "X-Amzn-Oidc-Data", "DPoP",
    "X-Session", "Mcp-Session-Id", "X-Bearer", "Token", "X-Token-Value", "X-Hub-Signature-256", "X-Amz-Credential",
    "X-Discount-Token",
  ])
  func credentialHeadersAreReplaced(_ name: String) {
    let open = cleaned([HeaderField(name, "Bearer hunter2"), HeaderField("Accept", "x")])
    #expect(open.headers == [HeaderField(name, "[redacted]"), HeaderField("Accept", "x")])
    #expect(open.redactions == ["header:" + name.lowercased()])
  }

  @Test(arguments: [
    "Idempotency-Key", "Content-Type", "X-RateLimit-Remaining-Tokens", "X-Tapedeck-Identity", "traceparent",
    "X-ORQ-IDENTITY-ID", "User-Agent", "Authority", "X-Author", "X-RateLimit-Reset-Tokens",
    "anthropic-ratelimit-input-tokens-remaining", "X-Token-Count", "X-Max-Tokens", "ETag", "X-Request-Id",
    "Cache-Control", "Sec-WebSocket-Key", "X-Keyword",
  ])
  func otherHeadersStay(_ name: String) {
    let open = cleaned([HeaderField(name, "value")])
    #expect(open.headers == [HeaderField(name, "value")])
    #expect(open.redactions.isEmpty)
    #expect(open.keyFingerprint == nil)
  }

  private static let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln"

  @Test(arguments: [
    "Bearer hunter2", "bearer  x", "Basic dXNlcjpwYXNz", "Token hunter2", "Digest username=\"u\", response=\"r\"",
    "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=s", jwt, "v=1, id=\(jwt)", "eyJh.eyJz.", "sk-proj-hunter2",
    "key:sk-hunter2", "realtime, openai-insecure-api-key.hunter2", "for x: Bearer hunter2", "ghp_abcdefghijklmnop1234",
    "AIzaSyA1234567890abcdefghijklmnop",
  ])
  func valuesThatAreCredentialsAreReplacedUnderAnyName(_ value: String) {
    #expect(cleaned([HeaderField("X-Other", value)]).headers == [HeaderField("X-Other", "[redacted]")])
    #expect(Secrets.clean([HeaderField("X-Other", value)]) == [HeaderField("X-Other", "[redacted]")])
    #expect(cleaned([HeaderField("Idempotency-Key", value)]).headers.first?.value == "[redacted]")
  }

  @Test(arguments: [
    ("Content-Type", "multipart/form-data; boundary=----sk-aaaaaaaa"), ("Accept-Language", "sk-Latn-SK,sk-SK;q=0.9"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:1) bearer"), ("X-Plan", "Basic rate for small users"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("Cache-Control", "private; max-age=0"), ("ETag", "W/\"eyJhbGci\""), ("X-Data", "eyJhIjoxfQ=="),
    ("X-Version", "eyJ.1"), ("X-Note", "risk-assessment task-sk-abcdefgh"), ("From", "ann@example.org"),
    ("Referer", "https://h/@ann/p?q=1#top"), ("Alt-Svc", "h3=\":443\"; ma=2592000"), ("X-Empty", ""),
    ("Link", "<https://h/x?page=2>; rel=\"next\""),
  ])
  func ordinaryValuesStay(_ name: String, _ value: String) {
    #expect(cleaned([HeaderField(name, value)]).headers == [HeaderField(name, value)])
    #expect(Secrets.clean([HeaderField(name, value)]) == [HeaderField(name, value)])
  }

  @Test(arguments: [
    ("https://u:p@h/x?q=1", "https://[redacted]@h/x?q=1"), ("//u:p@h/x", "//[redacted]@h/x"),
    ("https://u:p@q@h", "https://[redacted]@h"),
    ("https://h/cb#access_token=s&a=1", "https://h/cb#access_token=[redacted]&a=1"),
    ("https://h/cb?code=s&state=1", "https://h/cb?code=[redacted]&state=1"),
    ("<https://h/x?token=s>; rel=\"next\"", "<https://h/x?token=[redacted]>; rel=\"next\""),
    ("<https://u:p@h/>, <https://v:q@i/>", "<https://[redacted]@h/>, <https://[redacted]@i/>"),
    ("/go?next=https%3A%2F%2Fh%3Ftoken%3Ds&a=1", "/go?next=[redacted]&a=1"),
    ("/go?next=https%3A%2F%2Fu%3Ap%40h", "/go?next=[redacted]"),
    ("/go?next=https://h?token=s", "/go?next=https://h?token=[redacted]"),
    ("/go?a=sk-hunter2&b=1", "/go?a=[redacted]&b=1"), ("for=h;secret=s", "for=h;secret=[redacted]"),
  ])
  func credentialsInURLsOfHeadersAreReplaced(_ value: String, _ expected: String) {
    for name in ["Referer", "Location", "Content-Location", "X-Forwarded-Uri"] {
      #expect(cleaned([HeaderField(name, value)]).headers == [HeaderField(name, expected)])
      #expect(Secrets.clean([HeaderField(name, value)]) == [HeaderField(name, expected)])
    }
  }

  @Test(arguments: [
    "code", "session", "session_id", "sid", "assertion", "client_assertion", "id_token_hint", "my%5Fapi_key",
    "x-apikey",
    "accessToken", "reset_token", "account_token", "client_secret", "user%5Bpassword%5D", "token[]", "auth[token]",
    "%74oken", "KEY", "jwt", "Signature",
  ])
  func secretParametersAreReplacedBehindEachSeparator(_ name: String) {
    for mark in ["?", "?a=1&", "?a=1;", "#", "?a#"] {
      let path = "/x\(mark)\(name)="
      #expect(cleaned([], path: path + "hunter2&b=2").path == path + "[redacted]&b=2")
      #expect(cleaned([], path: path + "hun;ter2;b=2").path == path + "[redacted];b=2")
      #expect(cleaned([], path: path + "hun\"?>ter2").path == path + "[redacted]")
    }
  }

  @Test(arguments: [
    "/x?max_tokens=5&token_count=3", "/x?country_code=nl&error_code=1", "/x?author=a&keyword=b&side=c", "/x?a=b?c=d",
    "//double/", "/@ann/x", "/x?q=a%20b%3Fc",
  ])
  func otherParametersStay(_ path: String) {
    let open = cleaned([], path: path)
    #expect(open.path == path)
    #expect(open.redactions.isEmpty)
  }

  @Test func theFingerprintIsOfTheKeyAndNotOfASession() throws {
    let key = try #require(cleaned([HeaderField("Authorization", "Bearer k1")]).keyFingerprint)
    let among = [
      HeaderField("X-Session", "s"), HeaderField("X-Csrf-Token", "t"), HeaderField("X-Custom-Auth", "u"),
      HeaderField("Authorization", "Bearer k1"),
    ]
    #expect(cleaned(among, path: "/x?code=c").keyFingerprint == key)
    #expect(cleaned([], path: "/x?code=c&key=k1").keyFingerprint == key)
    #expect(cleaned([HeaderField("X-Session", "s")], path: "/x?code=c").keyFingerprint == nil)
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
