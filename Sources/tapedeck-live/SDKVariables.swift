internal import TapeProxy
internal import TapeRecorder

/// The variables by which SDKs are told where their API is.
struct SDKVariables {
  /// Of one SDK or of several.
  private enum Kind {
    /// The API's root: the SDK adds the whole path.
    case root
    /// As OpenAI's: the version of the API is part of it.
    case openAI
  }

  private static let known: [(name: String, kind: Kind, host: String)] = [
    ("ORQ_BASE_URL", .root, "api.orq.ai"), ("ORQ_SERVER_URL", .root, "api.orq.ai"),
    ("OPENAI_BASE_URL", .openAI, "api.openai.com"), ("OPENAI_API_BASE", .openAI, "api.openai.com"),
    ("ANTHROPIC_BASE_URL", .root, "api.anthropic.com"), ("GROQ_BASE_URL", .root, "api.groq.com"),
    ("CO_API_URL", .root, "api.cohere.com"), ("GOOGLE_GEMINI_BASE_URL", .root, "generativelanguage.googleapis.com"),
    ("TAPEDECK_PROXY_URL", .root, ""),
  ]

  static var names: [String] { known.map(\.name) }

  private let url: String
  private let openAIPath: String
  /// Upstreams that have a prefix of their own.
  private var routes: [ProxyRoute] = []

  /// - Parameters:
  ///   - url: of the proxy or the replay server.
  ///   - openAIPath: what is in front of `/chat/completions` there.
  init(_ url: String, openAIPath: String) {
    self.url = url
    self.openAIPath = openAIPath
  }

  /// - Parameters:
  ///   - url: of a proxy.
  ///   - routes: its upstreams. An SDK whose own API is one of them gets that one.
  init(_ url: String, _ routes: [ProxyRoute]) {
    let usual = routes.first { $0.prefix.isEmpty }
    self.init(url, openAIPath: usual.map { Self.openAIPath(of: $0.upstream) } ?? "/v1")
    self.routes = routes.filter { !$0.prefix.isEmpty }
  }

  /// The environment of a command whose calls are to go through the proxy.
  func over(_ environment: [String: String]) -> [String: String] {
    var changed = environment
    for (name, kind, host) in Self.known {
      let route = routes.first { $0.upstream.host == host }
      let base = url + (route?.prefix ?? "")
      changed[name] = kind == .root ? base : base + (route.map { Self.openAIPath(of: $0.upstream) } ?? openAIPath)
    }
    // A proxy of the environment cannot reach this machine's own address.
    for (proxy, exception) in [("HTTP_PROXY", "NO_PROXY"), ("http_proxy", "no_proxy"), ("ALL_PROXY", "NO_PROXY")]
    where environment[proxy] != nil {
      changed[exception] = [environment[exception], "127.0.0.1"].compactMap { $0 }.joined(separator: ",")
    }
    return changed
  }

  /// What the upstream has in front of `/chat/completions`, unless it is part of the upstream already.
  private static func openAIPath(of upstream: UpstreamURL) -> String {
    if upstream.prefix.hasSuffix("/v1") || upstream.prefix.hasSuffix("/router") { return "" }
    return upstream.host == "api.orq.ai" ? "/v2/router" : "/v1"
  }
}
