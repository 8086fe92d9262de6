/// What in a name says that its value is a credential. `SecretForms` has what values say themselves.
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
    "jwt", "authoriz", "code_verifier", "privatekey", "authkey", "subscriptionkey",
  ]
  private static let parameters: [StaticString] = [
    "key", "sig", "auth", "pwd", "pass", "bearer", "code", "auth_code", "authcode", "device_code", "sid",
    "id_token_hint",
  ]

  /// Whether a secret parameter's value is the key of a caller, rather than of a session or a moment.
  static func isKey(parameter name: AsciiName) -> Bool {
    ["key", "token", "auth", "jwt", "bearer"].contains { (word: StaticString) in name.contains(word) }
  }

  // MARK: Names of members

  /// What of the value of a JSON member is secret.
  enum Secrecy: Int, Comparable {
    case nothing, texts
    /// Numbers too: a password may be one, while a number of tokens is a count and an error's `code` its kind.
    case all

    static func < (one: Secrecy, other: Secrecy) -> Bool { one.rawValue < other.rawValue }
  }

  /// What the name of a member of a JSON object says of its value: members are named as parameters and headers are.
  static func secrecy(member bytes: some Collection<UInt8>) -> Secrecy {
    let name = AsciiName(bytes)
    if parameterWords.contains(where: { name.contains($0) }) { return .all }
    return isSecret(parameter: bytes) || isSecret(header: name) ? .texts : .nothing
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
}
