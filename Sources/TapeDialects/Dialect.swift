/// One provider's event grammar.
package enum Dialect: String, Sendable, CaseIterable {
  /// orq.ai deployments: `choices[].message` in every chunk.
  case orq
  /// OpenAI-compatible chat completions: `choices[].delta`.
  case openAIChat = "openai_chat"
  /// Neither; fields are still kept.
  case unknown
}
