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
      let name = HeaderName(open.headers[index].name)
      if Self.isSecret(name) {
        if credential == nil, !name.contains("cookie") { credential = open.headers[index].value }
        open.headers[index].value = Self.replacement
        Self.note("header:" + name.text, in: &open.redactions)
      } else if let cleaned = Self.cleanedQuery(open.headers[index].value, { _, _ in }) {
        open.headers[index].value = cleaned
        Self.note("header:" + name.text, in: &open.redactions)
      }
    }
    let path = Self.cleanedQuery(open.path) { name, value in
      credential = credential ?? value
      Self.note("query:" + name, in: &open.redactions)
    }
    if let path { open.path = path }
    open.keyFingerprint = credential.map(fingerprint)
  }

  /// Replaces what is secret in response headers.
  package static func clean(_ headers: [HeaderField]) -> [HeaderField] {
    headers.map { field in
      if isSecret(HeaderName(field.name)) { return HeaderField(field.name, replacement) }
      return HeaderField(field.name, cleanedQuery(field.value) { _, _ in } ?? field.value)
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

  private static func isSecret(_ name: HeaderName) -> Bool {
    if harmlessNames.contains(where: { name.equals($0) }) { return false }
    return secretWords.contains { name.contains($0) } || secretEndings.contains { name.ends(with: $0) }
      || secretNames.contains { name.equals($0) }
  }

  private static let secretWords: [StaticString] = [
    "authorization", "cookie", "secret", "passw", "credential", "apikey", "api-key", "api_key",
  ]
  private static let secretEndings: [StaticString] = ["-token", "-key", "signature"]
  private static let secretNames: [StaticString] = ["token", "key", "x-auth"]
  private static let harmlessNames: [StaticString] = [
    "idempotency-key", "x-idempotency-key", "sec-websocket-key", "surrogate-key", "x-cache-key", "cache-key",
    "access-control-allow-credentials",
  ]

  private static func isSecret(parameter: String) -> Bool {
    let name = HeaderName(parameter)
    return secretParameters.contains { name.equals($0) } || parameterEndings.contains { name.ends(with: $0) }
      || parameterWords.contains { name.contains($0) }
  }

  private static let parameterEndings: [StaticString] = [
    "token", "apikey", "_key", "-key", "signature", "credential",
  ]
  private static let parameterWords: [StaticString] = ["secret", "password"]
  private static let secretParameters: [StaticString] = [
    "key", "sig", "auth", "authorization", "pwd", "pass", "passwd", "jwt", "bearer", "credentials",
  ]

  /// Replaces secret values behind the `?` of `text`; `found` gets each name and old value. nil if there are none.
  private static func cleanedQuery(_ text: String, _ found: (String, String) -> Void) -> String? {
    guard let mark = text.utf8.firstIndex(of: 0x3F) else { return nil }
    let query = text[text.utf8.index(after: mark)...]
    guard query.utf8.contains(0x3D) else { return nil }
    var changed = false
    let fields = query.utf8.split(separator: 0x26, omittingEmptySubsequences: false).map { bytes -> Substring in
      let field = Substring(bytes)
      guard let equals = field.utf8.firstIndex(of: 0x3D) else { return field }
      let name = percentDecoded(field[..<equals])
      guard isSecret(parameter: name) else { return field }
      changed = true
      found(name.lowercased(), String(field[field.utf8.index(after: equals)...]))
      return field[...equals] + replacement
    }
    return changed ? text[...mark] + fields.joined(separator: "&") : nil
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

/// A name in lower case, searched as bytes: `String.contains` is a hundred times as slow, and
/// this runs for every header of every request.
private struct HeaderName {
  private let bytes: [UInt8]

  init(_ name: String) { bytes = name.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 } }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  func equals(_ word: StaticString) -> Bool { bytes.count == word.utf8CodeUnitCount && matches(word, at: 0) }

  func ends(with word: StaticString) -> Bool {
    bytes.count >= word.utf8CodeUnitCount && matches(word, at: bytes.count - word.utf8CodeUnitCount)
  }

  func contains(_ word: StaticString) -> Bool {
    guard bytes.count >= word.utf8CodeUnitCount else { return false }
    return (0...bytes.count - word.utf8CodeUnitCount).contains { matches(word, at: $0) }
  }

  private func matches(_ word: StaticString, at start: Int) -> Bool {
    bytes.withUnsafeBufferPointer { bytes in
      for offset in 0..<word.utf8CodeUnitCount where bytes[start + offset] != word.utf8Start[offset] { return false }
      return true
    }
  }
}
