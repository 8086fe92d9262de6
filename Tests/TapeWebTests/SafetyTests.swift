import HTTPTypes
import TapeQuery
import Testing

@testable import TapeWeb

@Suite struct LocalAuthorityTests {
  @Test(arguments: [
    ("localhost:8485", true), ("127.0.0.1:1", true), ("192.168.1.2", true), ("[::1]:8485", true), ("[fe80::1]", true),
    ("LOCALHOST", true), ("tapes.lan:8485", true), ("evil.example:8485", false), ("127.0.0.1.evil.example", false),
    ("", false), ("1.2.3.256", false), ("+1.2.3.4", false), ("[evil.example]", false), ("[::1]evil.example", false),
    ("localhost:x", false), ("localhost.", false), ("tapes.lan.evil.example", false), ("0x7f.0.0.1", false),
  ])
  func onlyLocalhostAddressesAndTheOwnNameAreAnswered(authority: String, isAnswered: Bool) {
    #expect(LocalAuthority.isAnswered(authority, name: "tapes.lan") == isAnswered)
  }

  @Test func aRequestWithoutHostIsNotAnswered() { #expect(!LocalAuthority.isAnswered(nil)) }

  @Test(arguments: [
    ("127.0.0.1", true), ("127.9.9.9", true), ("localhost", true), ("::1", true), ("0.0.0.0", false), ("::", false),
    ("192.168.0.1", false), ("127.evil.example", false), ("tapes.lan", false),
  ])
  func loopbackIsTold(host: String, isLoopback: Bool) { #expect(LocalAuthority.isLoopback(host) == isLoopback) }
}

@Suite struct UITokenTests {
  private let token = UIToken("correct horse")

  @Test func theTokenAndItsCookieAreAdmitted() {
    #expect(token.admits([.authorization: "Bearer correct horse"]))
    #expect(token.admits([.cookie: "a=b; tapedeck=\(token.cookie)"]))
  }

  @Test(arguments: ["", "Bearer", "Bearer wrong", "Basic correct horse", "correct horse", "Bearer correct horse2"])
  func nothingElseIsAdmitted(field: String) { #expect(!token.admits([.authorization: field])) }

  @Test func theCookieDoesNotHoldTheTokenAndChangesWithIt() {
    #expect(!token.cookie.contains("correct"))
    #expect(token.cookie != UIToken("correct horse2").cookie)
    #expect(!token.admits([.cookie: "tapedeck=correct horse"]))
  }
}
