internal import TapeJSON
internal import TapeTypes

/// What the GenAI semantic conventions call things. Source: open-telemetry/semantic-conventions-genai,
/// `docs/gen-ai/gen-ai-spans.md`.
enum Conventions {
  /// `gen_ai.operation.name`, by where the request went, else by what the response calls itself.
  static func operation(path: String, object: String?) -> String {
    let path = path.prefix { $0 != "?" && $0 != "#" }.lowercased()
    func ends(_ suffix: String) -> Bool { path.hasSuffix(suffix) || path.hasSuffix(suffix + "/") }
    if path.contains("/agents/"), ends("/responses") || ends("/stream-run") || ends("/run") { return "invoke_agent" }
    if ends(":generatecontent") || ends(":streamgeneratecontent") { return "generate_content" }
    if ends("/embeddings") { return "embeddings" }
    if ends("/completions"), !ends("/chat/completions") { return "text_completion" }
    return object == "text_completion" ? "text_completion" : "chat"
  }

  /// `gen_ai.provider.name`: the well-known value for a provider as orq and others call it, else its own name.
  static func provider(_ name: String?, host: String?) -> String {
    guard let name = name?.lowercased(), !name.isEmpty else { return provider(ofHost: host) }
    return switch name {
    case "azure", "azure-openai", "azureopenai": "azure.ai.openai"
    case "aws", "bedrock", "aws-bedrock", "amazon-bedrock": "aws.bedrock"
    case "google-ai", "gemini", "googleai", "google_ai": "gcp.gemini"
    case "google", "vertex", "vertexai", "vertex-ai", "google-vertex": "gcp.vertex_ai"
    case "mistral", "mistralai": "mistral_ai"
    case "xai", "x-ai": "x_ai"
    case "moonshotai", "moonshot": "moonshot_ai"
    case "watsonx", "ibm": "ibm.watsonx.ai"
    default: name
    }
  }

  private static func provider(ofHost host: String?) -> String {
    let known = [
      "openai.azure.com": "azure.ai.openai", "openai.com": "openai", "anthropic.com": "anthropic",
      "generativelanguage.googleapis.com": "gcp.gemini", "aiplatform.googleapis.com": "gcp.vertex_ai",
      "amazonaws.com": "aws.bedrock", "mistral.ai": "mistral_ai", "groq.com": "groq", "deepseek.com": "deepseek",
      "cohere.com": "cohere", "perplexity.ai": "perplexity", "x.ai": "x_ai", "orq.ai": "orq",
    ]
    guard let host = host?.lowercased() else { return "unknown" }
    return known.first { host == $0.key || host.hasSuffix("." + $0.key) }?.value ?? "unknown"
  }

  /// `error.type`: the provider's code, else the HTTP status, else how the call ended.
  static func errorType(_ shown: JSONValue, state: CallState, status: Int?) -> String {
    switch shown["error"]?["code"] {
    case .string(let code)? where !code.isEmpty && code.utf8.count <= 100: code
    case .number(let code)?: code
    default: status.flatMap { $0 >= 400 ? String($0) : nil } ?? state.rawValue
    }
  }

  /// States that count as failed, as everywhere in tapedeck. A caller that went away made no error.
  static func isError(_ state: CallState) -> Bool {
    switch state {
    case .upstreamError, .upstreamCut, .timeout, .lost: true
    case .done, .clientAbort, .open: false
    }
  }
}
