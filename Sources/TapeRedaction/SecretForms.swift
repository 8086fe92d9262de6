/// What in a value says that it is a credential, whatever it is called: an authorization scheme with what belongs to it,
/// a JSON web token, or a key of a vendor's well-known form.
enum SecretForms {
  /// Where a value was found.
  enum Place {
    case text
    /// A list of languages: `sk` is also Slovak.
    case languages
    /// A part of a path. It names things, and decides which API was asked: what is taken for a key has to look as random
    /// as keys are, unlike the voice `sk-SK-Chirp3-HD-Achernar` or the model `hf_bert-base-uncased`.
    case path
  }

  /// A key is not shorter in a path, percent-encoded or not.
  static let shortestInPath = 16

  /// Whether there is a credential in the value.
  static func isSecret(_ value: some Collection<UInt8>, in place: Place = .text) -> Bool {
    let bytes = Array(value)
    guard bytes.count >= (place == .path ? shortestInPath : 7) else { return false }
    if hasScheme(bytes, in: place) { return true }
    return bytes.indices.contains { index in
      guard index == 0 || !isWord(bytes[index - 1]), begins[Int(bytes[index])] else { return false }
      return isJWT(bytes, at: index) || isBot(bytes, at: index) || place != .path && isBearer(bytes, at: index)
        || place != .languages && keys.contains { isKey(bytes, at: index, $0, in: place) }
    } || AsciiName(bytes).contains("insecure-api-key.")
  }

  /// Whether a key, a token or a scheme may begin with a byte: most words do not, and are passed over at once.
  private static let begins: [Bool] = {
    var begins = [Bool](repeating: false, count: 256)
    for first in keys.map(\.prefix.utf8Start.pointee) + Array("be0123456789".utf8) {
      begins[Int(first)] = true
      if first >= 0x61 { begins[Int(first ^ 0x20)] = true }
    }
    return begins
  }()

  // MARK: Schemes

  /// `Basic x` and its like, at the front. Of names that are ordinary words too, only with a single word behind.
  private static func hasScheme(_ bytes: [UInt8], in place: Place) -> Bool {
    let words = bytes.split(maxSplits: 2) { $0 == 0x20 || $0 == 0x09 }
    guard words.count > 1, let first = words.first else { return false }
    let scheme = AsciiName(first)
    let isScheme = schemes.contains { scheme.equals($0) }
    // `Basic plan` and `Bearer tokens` are names of files, too.
    if place == .path, words.count > 2 || words[1].count < shortestInPath { return false }
    return isScheme || words.count == 2 && ordinarySchemes.contains { scheme.equals($0) }
  }

  /// Names of authentication schemes. Source: IANA's registry of them, and what AWS and vendors of APIs add.
  private static let schemes: [StaticString] = [
    "bearer", "dpop", "negotiate", "ntlm", "hawk", "aws4-hmac-sha256", "apikey", "api-key", "digest",
  ]
  private static let ordinarySchemes: [StaticString] = ["basic", "token", "oauth", "gnap", "privatetoken"]

  private static func isBearer(_ bytes: [UInt8], at start: Int) -> Bool {
    let text = bytes[start...]
    guard text.count > 7, AsciiName(text.prefix(7)).equals("bearer ") else { return false }
    return text.dropFirst(7).contains { $0 != 0x20 }
  }

  // MARK: Tokens

  /// `eyJ….….…`: three or more parts, of which the first begins as JSON in base64 does (RFC 7519).
  private static func isJWT(_ bytes: [UInt8], at start: Int) -> Bool {
    guard bytes[start...].starts(with: "eyJ".utf8) else { return false }
    let first = bytes[start...].prefix(while: isWord)
    guard first.endIndex < bytes.count, bytes[first.endIndex] == 0x2E else { return false }
    let second = bytes[(first.endIndex + 1)...].prefix(while: isWord)
    return !second.isEmpty && second.endIndex < bytes.count && bytes[second.endIndex] == 0x2E
  }

  /// `123456:AAF…`, in paths behind `bot`: what Telegram's bots have, who stand in front of many a model.
  /// Source: <https://core.telegram.org/bots/api#authorizing-your-bot>.
  private static func isBot(_ bytes: [UInt8], at start: Int) -> Bool {
    let isNamed = bytes[start...].starts(with: "bot".utf8)
    let digits = bytes[(isNamed ? start + 3 : start)...].prefix { $0 >= 0x30 && $0 <= 0x39 }
    guard digits.count >= 6, digits.endIndex < bytes.count, bytes[digits.endIndex] == 0x3A else { return false }
    let token = bytes[(digits.endIndex + 1)...].prefix(while: isWord)
    return token.count >= 24 && (isNamed || token.starts(with: "AA".utf8))
  }

  // MARK: Keys

  /// How a vendor's keys look.
  private struct Key {
    /// Lower case, found in either; `?` is any letter.
    let prefix: StaticString
    /// So many of the key's own characters have to follow.
    let length: Int
    let alphabet: Alphabet

    init(_ prefix: StaticString, _ length: Int, _ alphabet: Alphabet = .word) {
      (self.prefix, self.length, self.alphabet) = (prefix, length, alphabet)
    }
  }

  private enum Alphabet {
    /// Letters, digits, `-` and `_`.
    case word
    /// Letters and digits.
    case plain
    /// Capitals and digits, in the prefix too.
    case capitals
  }

  /// Sources: the vendors' pages about their keys; for forms that those do not tell, the patterns of GitHub's secret
  /// scanning (<https://docs.github.com/code-security/secret-scanning>) and of gitleaks
  /// (<https://github.com/gitleaks/gitleaks>, `config/gitleaks.toml`). Lengths are below the real ones: keys were
  /// shorter, and get longer.
  private static let keys: [Key] = [
    // OpenAI (`sk-`, `sk-proj-`, `sk-svcacct-`, `sk-admin-`) and who took it over: Anthropic (`sk-ant-`), orq, OpenRouter
    // (`sk-or-`), DeepSeek, LiteLLM, Langfuse. Stripe has `sk_live_`, ElevenLabs `sk_`.
    Key("sk-", 6), Key("sk_", 6), Key("rk_live_", 8), Key("rk_test_", 8), Key("whsec_", 16),
    // Google: API keys, OAuth access tokens and client secrets.
    Key("aiza", 24), Key("ya29.", 16), Key("gocspx-", 16),
    // AWS: ids of keys, long-lived and of a session, and the keys of Bedrock.
    Key("AKIA", 16, .capitals), Key("ASIA", 16, .capitals), Key("absk", 40, .plain), Key("bedrock-api-key-", 16),
    // GitHub (personal, OAuth, of users, servers and refreshing; fine-grained), GitLab.
    Key("ghp_", 16), Key("gho_", 16), Key("ghu_", 16), Key("ghs_", 16), Key("ghr_", 16), Key("github_pat_", 16),
    Key("glpat-", 16),
    // Slack: `xoxb-` of bots, `xoxp-` of users, and so on; `xapp-` of apps.
    Key("xox?-", 8), Key("xapp-", 16),
    // Those who serve models: Hugging Face, Groq, xAI, Replicate, Perplexity, NVIDIA, Cerebras, Fireworks.
    Key("hf_", 16), Key("gsk_", 16), Key("xai-", 16), Key("r8_", 16, .plain), Key("pplx-", 16), Key("nvapi-", 16),
    Key("csk-", 20, .plain), Key("fw_", 20, .plain),
    // Those around them: LangSmith, Pinecone, Tavily.
    Key("lsv2_", 16), Key("pcsk_", 16), Key("tvly-", 16),
  ]

  private static func isKey(_ bytes: [UInt8], at start: Int, _ key: Key, in place: Place) -> Bool {
    let tail = start + key.prefix.utf8CodeUnitCount
    guard bytes.count - tail >= key.length else { return false }
    for (offset, byte) in bytes[start..<tail].enumerated() {
      let expected = key.prefix.utf8Start[offset]
      let isCapital = byte >= 0x41 && byte <= 0x5A
      let found = isCapital && key.alphabet != .capitals ? byte | 0x20 : byte
      guard found == expected || expected == 0x3F && found >= 0x61 && found <= 0x7A else { return false }
    }
    guard bytes[tail..<(tail + key.length)].allSatisfy({ has(key.alphabet, $0) }) else { return false }
    return place != .path || looksRandom(bytes[tail...].prefix(while: isWord))
  }

  private static func has(_ alphabet: Alphabet, _ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A: true
    case 0x61...0x7A: alphabet != .capitals
    case 0x2D, 0x5F: alphabet == .word
    default: false
    }
  }

  /// Words are separated, and digits and capitals stand at their ends; where they stand in between, somebody drew lots.
  private static func looksRandom(_ word: ArraySlice<UInt8>) -> Bool {
    guard word.count >= shortestInPath else { return false }
    var (run, changes) = (0, 0)
    var last = Kind.separator
    for byte in word {
      let kind = Kind(byte)
      run = kind == .separator ? 0 : run + 1
      switch (last, kind) {
      case (.small, .capital), (.small, .digit), (.capital, .digit), (.digit, .small), (.digit, .capital): changes += 1
      default: break
      }
      if run >= shortestInPath || changes >= 4 { return true }
      last = kind
    }
    return false
  }

  private enum Kind {
    case separator, digit, capital, small

    init(_ byte: UInt8) {
      switch byte {
      case 0x30...0x39: self = .digit
      case 0x41...0x5A: self = .capital
      case 0x61...0x7A: self = .small
      default: self = .separator
      }
    }
  }

  /// What keys and the parts of a JWT are made of.
  static func isWord(_ byte: UInt8) -> Bool { has(.word, byte) }
}
