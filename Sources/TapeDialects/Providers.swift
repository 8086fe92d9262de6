import TapeTypes

/// Who answered, where the stream does not say it: as only orq's does.
enum ProviderNames {
  /// Where the request went, and the model that it asked for.
  struct Origin: Sendable, Equatable {
    fileprivate var host: Substring = ""
    fileprivate var path = ""

    init() {}

    init(_ open: CallOpen) {
      path = open.path
      let authority = open.upstream.split(separator: "/").last ?? ""
      host = authority.prefix { $0 != ":" }
    }
  }

  /// nil where nobody can tell, as with an OpenAI-compatible server of one's own.
  static func provider(of generation: Generation, from origin: Origin) -> String? {
    guard generation.dialect != .unknown, generation.dialect != .orq else { return nil }
    if let prefix = generation.model.flatMap(prefix) { return prefix }
    if let host = host(origin.host) { return host }
    if origin.path.contains("/publishers/google/") { return "google" }
    switch generation.dialect {
    case .anthropic: return "anthropic"
    case .openAIResponses: return "openai"
    case .gemini: return "google"
    case .openAIChat, .orq, .unknown: return nil
    }
  }

  /// Routers name models `provider/model`.
  private static func prefix(_ model: String) -> String? {
    guard let slash = model.utf8.firstIndex(of: 0x2F) else { return nil }
    let name = String(model[..<slash]).lowercased()
    return prefixes.contains(name) ? name : nil
  }

  private static let prefixes: Set<String> = [
    "anthropic", "aws", "azure", "cerebras", "cohere", "deepseek", "google", "google-ai", "groq", "minimax", "mistral",
    "moonshotai", "openai", "perplexity", "togetherai", "xai", "zai",
  ]

  private static func host(_ host: Substring) -> String? {
    hosts.first { host == $0.name || host.hasSuffix("." + $0.name) }?.provider
  }

  /// Their APIs' hosts, and those below them.
  private static let hosts: [(name: String, provider: String)] = [
    ("api.openai.com", "openai"), ("openai.azure.com", "azure"), ("services.ai.azure.com", "azure"),
    ("api.anthropic.com", "anthropic"), ("generativelanguage.googleapis.com", "google-ai"),
    ("api.groq.com", "groq"), ("api.mistral.ai", "mistral"), ("api.deepseek.com", "deepseek"), ("api.x.ai", "xai"),
    ("api.together.xyz", "togetherai"), ("api.perplexity.ai", "perplexity"), ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"), ("api.cerebras.ai", "cerebras"), ("api.moonshot.ai", "moonshotai"),
    ("api.minimax.io", "minimax"), ("api.z.ai", "zai"), ("bedrock-runtime.amazonaws.com", "aws"),
  ]
}
