import TapeJSON
import TapeTypes

/// Who asked, and in which conversation, by the fields that each provider's API has for it. orq's own, and the headers
/// that are tapedeck's, go before these.
///
/// OpenAI (chat completions and Responses): `safety_identifier`, else `user`, which it replaces; the thread is
/// `conversation` of the Responses API. Source: <https://platform.openai.com/docs/api-reference/responses/create>.
/// Anthropic: `metadata.user_id`. Source: <https://platform.claude.com/docs/en/api/messages>.
/// Gemini has no such fields; the model is in the path. Source: <https://ai.google.dev/api/generate-content>.
/// `metadata` of OpenAI's APIs is free; what most write there counts where the fields are missing: `user_id`, and
/// `thread_id`, `conversation_id` or `session_id`.
struct APINames {
  private(set) var identity: String?
  private(set) var thread: String?
  private(set) var previousResponse: String?
  private(set) var model: String?
  /// Vertex AI's `labels`, which are what others call metadata.
  private(set) var labels: JSONValue?

  init(_ open: CallOpen, _ body: JSONValue?) {
    let dialect = Dialect(path: open.path)
    if dialect == .gemini { model = APINames.model(inPath: open.path) }
    guard let body, dialect != .orq, body["key"] == nil else { return }
    let metadata = body["metadata"]
    switch dialect {
    case .anthropic: identity = RequestFacts.text(metadata?["user_id"])
    case .gemini: labels = RequestFacts.present(body["labels"])
    case .openAIChat, .openAIResponses, .unknown, .orq:
      identity =
        RequestFacts.text(body["safety_identifier"]) ?? RequestFacts.text(body["user"])
        ?? RequestFacts.text(metadata?["user_id"])
      thread = RequestFacts.text(body["conversation"]?["id"]) ?? RequestFacts.text(body["conversation"])
      previousResponse = RequestFacts.text(body["previous_response_id"])
    }
    thread =
      thread
      ?? ["thread_id", "conversation_id", "session_id"].lazy.compactMap { RequestFacts.text(metadata?[$0]) }.first
  }

  /// `gemini-2.5-flash` of `/v1beta/models/gemini-2.5-flash:streamGenerateContent`.
  private static func model(inPath path: String) -> String? {
    let last = path.prefix { $0 != "?" }.split(separator: "/").last ?? ""
    let end = last.firstIndex(of: ":") ?? last.range(of: "%3")
    return end.map { String(last[..<$0]) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension Substring {
  /// Where the text begins; without Foundation.
  fileprivate func range(of text: String) -> Index? {
    indices.first { self[$0...].hasPrefix(text) }
  }
}
