internal import TapeDialects
internal import TapeJSON

extension Generation {
  /// All that was generated, for full text: contents, reasoning, refusals, tool calls.
  var fullText: String {
    var parts: [String] = []
    for choice in choices {
      for text in [choice.reasoning, choice.content, choice.refusal] {
        if let text, !text.isEmpty { parts.append(Self.withoutMedia(text)) }
      }
      for call in choice.toolCalls {
        parts.append(Self.withoutMedia([call.name ?? "", call.arguments].joined(separator: " ")))
      }
    }
    return parts.joined(separator: "\n")
  }

  /// Text without inline base64 media, cut to `limit` Unicode scalars.
  static func withoutMedia(_ text: String, limit: Int? = nil) -> String {
    var text = text
    if let embedded = text.utf8.firstRange(of: ";base64,".utf8), !embedded.isEmpty {
      text = withoutInlineMedia(.string(text)).string ?? text
    }
    guard let limit, text.utf8.count > limit else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
  }
}
