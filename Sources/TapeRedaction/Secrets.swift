import Crypto
package import TapeTypes

/// Keeps credentials off the tape.
///
/// Values of headers and parameters that are credentials by their name (`SecretRules`) or by their form
/// (`SecretForms`) are replaced by `[redacted]`: also in paths, in URLs (`SecretURL`) and in JSON (`SecretJSON`) that is
/// the value of a header. What stays is a keyed fingerprint, which tells two keys apart for who holds the store's key
/// and cannot be guessed back by who does not.
package struct Secrets: Sendable {
  package static let replacement = "[redacted]"

  private let key: SymmetricKey

  /// - Parameter fingerprintKey: the store's own random key.
  package init(fingerprintKey: [UInt8]) { key = SymmetricKey(data: fingerprintKey) }

  /// Replaces what is secret in the headers, the path and the query of a call.
  package func clean(_ open: inout CallOpen) {
    // What best tells one caller's key from another's.
    var credential: (value: String, rank: Int)?
    for index in open.headers.indices {
      let field = open.headers[index]
      let name = AsciiName(field.name.utf8)
      switch Self.verdict(name, field.value) {
      case .harmless: continue
      case .secret:
        let rank = SecretRules.keyRank(header: name)
        if rank > credential?.rank ?? 0 { credential = (field.value, rank) }
        open.headers[index].value = Self.replacement
      case .cleaned(let value): open.headers[index].value = value
      }
      Self.note("header:" + name.text, in: &open.redactions)
    }
    var url = SecretURL(isTarget: true)
    if let path = url.cleaned(open.path) { open.path = path }
    if url.hadUserinfo { Self.note("query:userinfo", in: &open.redactions) }
    for finding in url.found {
      Self.note(finding.note, in: &open.redactions)
      // What has no name is a key by its form.
      let isKey = finding.name.isEmpty || SecretRules.isKey(parameter: AsciiName(finding.name.utf8))
      if credential == nil, isKey { credential = (finding.value, 1) }
    }
    open.keyFingerprint = credential.map { fingerprint($0.value) }
  }

  /// A request target as it is on tape.
  package static func clean(target: String) -> String {
    var url = SecretURL(isTarget: true)
    return url.cleaned(target) ?? target
  }

  /// Replaces what is secret in response headers.
  package static func clean(_ headers: [HeaderField]) -> [HeaderField] {
    headers.map { field in
      switch verdict(AsciiName(field.name.utf8), field.value) {
      case .harmless: field
      case .secret: HeaderField(field.name, replacement)
      case .cleaned(let value): HeaderField(field.name, value)
      }
    }
  }

  /// What an error says of itself, for the tape: not more than its type where that has a credential in it.
  package static func describing(_ error: any Error) -> String {
    let text = String("\(error)".prefix(1000))
    return switch SecretText.verdict(text) {
    case .harmless: text
    case .secret: "\(type(of: error))"
    case .cleaned(let text): text
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

  private static func verdict(_ name: AsciiName, _ value: String) -> SecretText.Verdict {
    SecretRules.isSecret(header: name) ? .secret : SecretText.verdict(value, isLanguage: name.ends(with: "-language"))
  }

  private static func note(_ name: String, in redactions: inout [String]) {
    if !redactions.contains(name) { redactions.append(name) }
  }
}
