import Crypto
package import TapeTypes

/// Keeps credentials off the tape.
///
/// Values of credential headers and query parameters are replaced by `[redacted]`. What
/// stays is a keyed fingerprint, which tells two keys apart for who holds the store's key
/// and cannot be guessed back by who does not.
package struct Secrets: Sendable {
  package static let replacement = "[redacted]"

  private let key: SymmetricKey

  /// - Parameter fingerprintKey: the store's own random key.
  package init(fingerprintKey: [UInt8]) { key = SymmetricKey(data: fingerprintKey) }

  /// Replaces what is secret in the headers, the path and the query of a call.
  package func clean(_ open: inout CallOpen) {
    var credential: String?
    for index in open.headers.indices {
      let name = open.headers[index].name.lowercased()
      if Self.isSecret(header: name) {
        if credential == nil, !name.contains("cookie") { credential = open.headers[index].value }
        open.headers[index].value = Self.replacement
        Self.note("header:" + name, in: &open.redactions)
      } else {
        open.headers[index].value = Self.cleanQuery(open.headers[index].value) { _, _ in
          Self.note("header:" + name, in: &open.redactions)
        }
      }
    }
    open.path = Self.cleanQuery(open.path) { name, value in
      credential = credential ?? value
      Self.note("query:" + name, in: &open.redactions)
    }
    open.keyFingerprint = credential.map(fingerprint)
  }

  /// Replaces what is secret in response headers.
  package static func clean(_ headers: [HeaderField]) -> [HeaderField] {
    headers.map { field in
      if isSecret(header: field.name.lowercased()) { return HeaderField(field.name, replacement) }
      return HeaderField(field.name, cleanQuery(field.value) { _, _ in })
    }
  }

  /// First 16 hex digits of the HMAC-SHA256 of a credential, without its scheme: `Bearer x` and `x` are one key.
  package func fingerprint(_ credential: String) -> String {
    let value = credential.split(separator: " ").last.map(String.init) ?? credential
    let code = HMAC<SHA256>.authenticationCode(for: Array(value.utf8), using: key)
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: code.prefix(8).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// - Parameter name: in lower case.
  package static func isSecret(header name: String) -> Bool {
    if harmlessKeys.contains(name) { return false }
    return secretWords.contains { name.contains($0) } || name.hasSuffix("-token") || name.hasSuffix("-key")
      || name == "token" || name == "key" || name == "x-auth" || name.hasSuffix("signature")
  }

  private static let secretWords = [
    "authorization", "cookie", "secret", "password", "passwd", "credential", "apikey", "api-key", "api_key",
    "auth-token", "access-token", "session-token",
  ]
  private static let harmlessKeys: Set<String> = [
    "idempotency-key", "x-idempotency-key", "sec-websocket-key", "surrogate-key", "x-cache-key", "cache-key",
    "access-control-allow-credentials",
  ]

  private static func isSecret(parameter name: String) -> Bool {
    let plain = name.replacingDashes().lowercased()
    return secretParameters.contains(plain) || plain.hasSuffix("token") || plain.hasSuffix("apikey")
      || plain.hasSuffix("_key") || plain.contains("secret") || plain.contains("password")
      || plain.hasSuffix("signature") || plain.hasSuffix("credential")
  }

  private static let secretParameters: Set<String> = [
    "key", "sig", "auth", "authorization", "pwd", "pass", "passwd", "jwt", "bearer", "credentials",
  ]

  /// Replaces secret values behind the `?` of `text`; `found` gets each name and old value.
  private static func cleanQuery(_ text: String, _ found: (String, String) -> Void) -> String {
    guard let mark = text.utf8.firstIndex(of: 0x3F) else { return text }
    let query = text[text.utf8.index(after: mark)...]
    guard query.utf8.contains(0x3D) else { return text }
    var changed = false
    let fields = query.split(separator: "&", omittingEmptySubsequences: false).map { field -> Substring in
      guard let equals = field.utf8.firstIndex(of: 0x3D) else { return field }
      let name = percentDecoded(field[..<equals])
      guard isSecret(parameter: name) else { return field }
      changed = true
      found(name.lowercased(), String(field[field.utf8.index(after: equals)...]))
      return field[...equals] + replacement
    }
    return changed ? text[...mark] + fields.joined(separator: "&") : text
  }

  private static func percentDecoded(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte == 0x25, rest.count >= 2, let value = UInt8(String(Substring(rest.prefix(2))), radix: 16) {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func note(_ name: String, in redactions: inout [String]) {
    if !redactions.contains(name) { redactions.append(name) }
  }
}

extension String {
  fileprivate func replacingDashes() -> String {
    String(decoding: utf8.map { $0 == 0x2D ? 0x5F : $0 }, as: UTF8.self)
  }
}
