/// What is secret in a text of any kind: the value of a header, a string in JSON, what an error says.
enum SecretText {
  enum Verdict: Equatable {
    case harmless
    /// All of it has to go.
    case secret
    /// JSON or a URL with credentials in it, and without them.
    case cleaned(String)
  }

  /// - Parameter depth: how many texts this one is in.
  static func verdict(_ text: String, isLanguage: Bool = false, depth: Int = 0) -> Verdict {
    let bytes = Array(text.utf8)
    if SecretJSON.looksLikeOne(bytes) {
      switch SecretJSON.verdict(bytes, depth: depth) {
      case .unreadable: break
      case .harmless: return .harmless
      case .secret: return .secret
      case .cleaned(let text): return .cleaned(text)
      }
    }
    // The URL first: of one with a key among its parameters the rest is worth keeping.
    var url = SecretURL(isTarget: false, depth: depth)
    let cleaned = url.cleaned(bytes)
    let rest = cleaned ?? bytes
    if SecretForms.isSecret(rest, in: isLanguage ? .languages : .text) || hasEncodedSecret(rest, depth: depth) {
      return .secret
    }
    return cleaned.map { .cleaned(String(decoding: $0, as: UTF8.self)) } ?? .harmless
  }

  /// Whether a word is a key, a URL or JSON behind percent-encoding. In URLs each part was decoded already, by the rules
  /// for it.
  private static func hasEncodedSecret(_ bytes: [UInt8], depth: Int) -> Bool {
    guard bytes.contains(0x25) else { return false }
    let url = SecretURL(isTarget: false, depth: depth)
    return bytes.split(separator: 0x20).contains { word in
      word.contains(0x25) && !word.contains(0x2F) && url.isSecret(word, in: .text)
    }
  }
}
