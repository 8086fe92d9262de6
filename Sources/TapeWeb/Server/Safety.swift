internal import Crypto
internal import HTTPTypes
internal import Hummingbird
internal import TapeTypes

/// The headers that keep a page from loading or running anything from elsewhere.
enum SafetyHeaders {
  static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    + "frame-ancestors 'none'; base-uri 'none'"

  static func add(to response: inout Response) {
    if response.headers[.contentSecurityPolicy] == nil { response.headers[.contentSecurityPolicy] = policy }
    response.headers[.xContentTypeOptions] = "nosniff"
    if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    for (name, value) in others { response.headers[name] = value }
  }

  private static let others: [(HTTPField.Name, String)] = [
    ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
  ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }
}

/// Which hosts are answered: no web page can reach the store by rebinding its own name to loopback.
package enum LocalAuthority {
  /// `localhost` or a literal address, with or without a port: names can be rebound, these cannot.
  ///
  /// - Parameter name: the host that the server was told to listen on; answered too.
  package static func isAnswered(_ authority: String?, name: String? = nil) -> Bool {
    guard let authority, !authority.isEmpty else { return false }
    var host = authority[...]
    if host.hasPrefix("[") {
      guard let end = host.firstIndex(of: "]") else { return false }
      let address = host[host.index(after: host.startIndex)..<end]
      return isPort(host[host.index(after: end)...]) && address.contains(":")
        && address.utf8.allSatisfy { isHex($0) || $0 == 0x3A || $0 == 0x2E }
    }
    if let colon = host.lastIndex(of: ":") {
      guard isPort(host[colon...]) else { return false }
      host = host[..<colon]
    }
    let lower = host.lowercased()
    if lower == "localhost" || lower == name?.lowercased() { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt8(part) != nil
      }
  }

  /// Whether only this machine can connect to an address that is listened on.
  package static func isLoopback(_ host: String) -> Bool {
    if host.lowercased() == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// Nothing, or `:` and digits.
  private static func isPort(_ text: Substring) -> Bool {
    text.isEmpty || text.first == ":" && text.count > 1 && UInt16(text.dropFirst()) != nil
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
  }
}

/// What has to be known to be answered, where others than this machine can ask. It is in no address, no log and no page;
/// the browser keeps what can be computed from it alone.
package struct UIToken: Sendable {
  static let cookieName = "tapedeck"
  private let digest: SHA256.Digest
  /// What a cookie holds: cannot be turned back, and changes with the token.
  let cookie: String

  package init(_ token: String) {
    digest = SHA256.hash(data: Array(token.utf8))
    let code = HMAC<SHA256>.authenticationCode(
      for: Array("tapedeck ui session".utf8), using: SymmetricKey(data: Array(token.utf8)))
    cookie = code.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }

  /// Compares hashes: how long it takes says nothing of the token.
  func matches(_ token: String) -> Bool { Self.isSame(digest, SHA256.hash(data: Array(token.utf8))) }

  /// `Authorization: Bearer TOKEN`, or the cookie.
  func admits(_ headers: HTTPFields) -> Bool {
    if let field = headers[.authorization] {
      let parts = field.split(separator: " ", maxSplits: 1)
      if parts.count == 2, parts[0].lowercased() == "bearer", matches(String(parts[1])) { return true }
    }
    return headers[values: .cookie].contains { field in
      field.split(separator: ";").contains { pair in
        let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
        return parts.count == 2 && parts[0] == Self.cookieName
          && Self.isSame(SHA256.hash(data: Array(cookie.utf8)), SHA256.hash(data: Array(parts[1].utf8)))
      }
    }
  }

  /// In constant time.
  private static func isSame(_ left: SHA256.Digest, _ right: SHA256.Digest) -> Bool {
    var difference: UInt8 = 0
    for (a, b) in zip(left, right) { difference |= a ^ b }
    return difference == 0
  }
}
