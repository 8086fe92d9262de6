/// What in a name or a value says that it is a credential.
enum SecretRules {
  // MARK: Header names

  /// Whether the whole value of a header is secret because of its name.
  static func isSecret(header name: AsciiName) -> Bool {
    if harmlessHeaders.contains(where: { name.equals($0) }) { return false }
    return headerWords.contains { name.contains($0) } || name.ends(with: "-key") || name.equals("key")
      || isToken(name) || hasAuth(name)
  }

  private static let headerWords: [StaticString] = [
    "authoriz", "cookie", "secret", "passw", "credential", "apikey", "api-key", "api_key", "jwt", "bearer",
    "assertion", "session", "dpop", "oidc", "signature",
  ]

  private static let harmlessHeaders: [StaticString] = [
    "idempotency-key", "x-idempotency-key", "sec-websocket-key", "surrogate-key", "x-cache-key", "cache-key",
    "access-control-allow-credentials",
  ]

  /// How well the value of a secret header tells two callers' keys apart: 2 a key for certain,
  /// 1 perhaps, 0 not at all, as it belongs to a session or to one request.
  static func keyRank(header name: AsciiName) -> Int {
    if fleetingWords.contains(where: { name.contains($0) }) { return 0 }
    return name.equals("authorization") || name.contains("api") || name.ends(with: "key") ? 2 : 1
  }

  private static let fleetingWords: [StaticString] = [
    "cookie", "session", "csrf", "xsrf", "signature", "dpop", "www-auth", "authenticate", "-info",
  ]

  // MARK: Parameter names

  /// Whether a query or fragment parameter is secret because of its name. `a[token]` and `token[]` count as `token`.
  static func isSecret(parameter bytes: some Collection<UInt8>) -> Bool {
    let parts = bytes.split { $0 == 0x5B || $0 == 0x5D || $0 == 0x20 || $0 == 0x2B }
    return parts.contains { part in
      let name = AsciiName(part)
      return parameters.contains { name.equals($0) } || parameterWords.contains { name.contains($0) }
        || name.ends(with: "_key") || name.ends(with: "-key") || isToken(name)
    }
  }

  private static let parameterWords: [StaticString] = [
    "secret", "passw", "credential", "apikey", "api_key", "api-key", "accesskey", "assertion", "signature", "session",
    "jwt", "authoriz", "code_verifier",
  ]
  private static let parameters: [StaticString] = [
    "key", "sig", "auth", "pwd", "pass", "bearer", "code", "auth_code", "authcode", "device_code", "sid",
    "id_token_hint",
  ]

  /// Whether a secret parameter's value is the key of a caller, rather than of a session or a moment.
  static func isKey(parameter name: AsciiName) -> Bool {
    ["key", "token", "auth", "jwt", "bearer"].contains { (word: StaticString) in name.contains(word) }
  }

  // MARK: Words in names

  /// `token` in a name, unless the name is of a number of tokens, as in `x-ratelimit-remaining-tokens`.
  private static func isToken(_ name: AsciiName) -> Bool {
    guard name.contains("token") else { return false }
    if name.contains("tokenizer") || name.contains("tokencount") || name.contains("maxtoken") { return false }
    return !name.words.contains { word in countWords.contains { word.equals($0) } }
  }

  private static let countWords: [StaticString] = [
    "count", "limit", "ratelimit", "remaining", "usage", "used", "max", "min", "total", "budget",
  ]

  /// `auth` at an end of a word of the name, as in `x-custom-auth`, `authentication` and `x-oauth`; not in `author`.
  private static func hasAuth(_ name: AsciiName) -> Bool {
    name.words.contains { word in
      word.ends(with: "auth") || word.starts(with: "auth") && !word.starts(with: "author")
    }
  }

  // MARK: Values

  /// Whether a value is a credential whatever it is called: an authorization scheme with what
  /// belongs to it, a JSON web token, or a key of a vendor's well-known form.
  static func isSecret(value: some Collection<UInt8>, isLanguage: Bool = false) -> Bool {
    let bytes = Array(value)
    guard bytes.count >= 7 else { return false }
    return hasScheme(bytes)
      || bytes.indices.contains { index in
        guard index == 0 || !isWord(bytes[index - 1]) else { return false }
        switch bytes[index] | 0x20 {
        case 0x65: return isJWT(bytes, at: index)
        case 0x62: return isBearer(bytes, at: index)
        default: return !isLanguage && keyForms.contains { isKey(bytes, at: index, $0.prefix, atLeast: $0.length) }
        }
      } || AsciiName(bytes).contains("insecure-api-key.")
  }

  /// `Basic x` and its like, at the front. Of names that are ordinary words too, only with a single word behind.
  private static func hasScheme(_ bytes: [UInt8]) -> Bool {
    let words = bytes.split(maxSplits: 2) { $0 == 0x20 || $0 == 0x09 }
    guard words.count > 1, let first = words.first else { return false }
    let scheme = AsciiName(first)
    if schemes.contains(where: { scheme.equals($0) }) { return true }
    return words.count == 2 && ordinarySchemes.contains { scheme.equals($0) }
  }

  private static let schemes: [StaticString] = [
    "bearer", "dpop", "negotiate", "ntlm", "hawk", "aws4-hmac-sha256", "apikey", "api-key", "digest",
  ]
  private static let ordinarySchemes: [StaticString] = ["basic", "token", "oauth", "gnap", "privatetoken"]

  private static func isBearer(_ bytes: [UInt8], at start: Int) -> Bool {
    let text = bytes[start...]
    guard text.count > 7, AsciiName(text.prefix(7)).equals("bearer ") else { return false }
    return text.dropFirst(7).contains { $0 != 0x20 }
  }

  /// `eyJ….….…`: three or more parts, of which the first begins as JSON in base64 does.
  private static func isJWT(_ bytes: [UInt8], at start: Int) -> Bool {
    guard bytes[start...].starts(with: "eyJ".utf8) else { return false }
    let first = bytes[start...].prefix(while: isWord)
    guard first.endIndex < bytes.count, bytes[first.endIndex] == 0x2E else { return false }
    let second = bytes[(first.endIndex + 1)...].prefix(while: isWord)
    return !second.isEmpty && second.endIndex < bytes.count && bytes[second.endIndex] == 0x2E
  }

  private static let keyForms: [(prefix: StaticString, length: Int)] = [
    ("sk-", 6), ("sk_", 6), ("rk_live_", 8), ("gsk_", 16), ("hf_", 16), ("xai-", 16), ("pplx-", 16), ("aiza", 24),
    ("ghp_", 16), ("gho_", 16), ("github_pat_", 16), ("glpat-", 16), ("xoxb-", 8), ("xoxp-", 8), ("ya29.", 16),
  ]

  private static func isKey(_ bytes: [UInt8], at start: Int, _ prefix: StaticString, atLeast length: Int) -> Bool {
    let count = prefix.utf8CodeUnitCount
    guard bytes.count - start >= count + length else { return false }
    for offset in 0..<count {
      let byte = bytes[start + offset]
      guard (byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) == prefix.utf8Start[offset] else { return false }
    }
    return bytes[(start + count)..<(start + count + length)].allSatisfy(isWord)
  }

  /// What keys and the parts of a JWT are made of.
  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
    default: false
    }
  }
}

/// A name in lower case, searched as bytes: `String.contains` is a hundred times as slow, and
/// this runs for every header of every request.
struct AsciiName {
  private let bytes: ArraySlice<UInt8>

  init(_ name: some Collection<UInt8>) { bytes = name.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }[...] }

  private init(slice: ArraySlice<UInt8>) { bytes = slice }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The parts between `-`, `_`, `.` and spaces.
  var words: [AsciiName] {
    bytes.split { $0 == 0x2D || $0 == 0x5F || $0 == 0x2E || $0 == 0x20 }.map { AsciiName(slice: $0) }
  }

  func equals(_ word: StaticString) -> Bool { bytes.count == word.utf8CodeUnitCount && matches(word, at: 0) }

  func starts(with word: StaticString) -> Bool { bytes.count >= word.utf8CodeUnitCount && matches(word, at: 0) }

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
