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

  private static let known: [(name: String, kind: Kind)] = [
    ("ORQ_BASE_URL", .root), ("ORQ_SERVER_URL", .root), ("OPENAI_BASE_URL", .openAI), ("OPENAI_API_BASE", .openAI),
    ("ANTHROPIC_BASE_URL", .root), ("GROQ_BASE_URL", .root), ("CO_API_URL", .root), ("GOOGLE_GEMINI_BASE_URL", .root),
    ("TAPEDECK_PROXY_URL", .root),
  ]

  static var names: [String] { known.map(\.name) }

  private let url: String
  private let openAIPath: String

  /// - Parameters:
  ///   - url: of the proxy or the replay server.
  ///   - openAIPath: what is in front of `/chat/completions` there.
  init(_ url: String, openAIPath: String) {
    self.url = url
    self.openAIPath = openAIPath
  }

  /// - Parameter url: of a proxy for the upstream.
  init(_ url: String, _ upstream: UpstreamURL) { self.init(url, openAIPath: Self.openAIPath(of: upstream)) }

  /// The environment of a command whose calls are to go through the proxy.
  func over(_ environment: [String: String]) -> [String: String] {
    var changed = environment
    for (name, kind) in Self.known { changed[name] = kind == .root ? url : url + openAIPath }
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
