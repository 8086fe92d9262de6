internal import TapeDialects
internal import TapeJSON

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

extension Generation {
  /// All that was generated, for full text: contents, reasoning, refusals, tool calls.
  var fullText: String {
    var parts: [String] = []
    for choice in choices {
      for text in [choice.reasoning, choice.content, choice.refusal] {
        if let text, !text.isEmpty { parts.append(Self.withoutMedia(text)) }
      }
      for call in choice.toolCalls {
        // Arguments are looked at by themselves: they are JSON.
        parts.append([call.name ?? "", Self.withoutMedia(call.arguments)].joined(separator: " "))
      }
    }
    return parts.joined(separator: "\n")
  }

  /// Text without inline base64 media, cut to `limit` Unicode scalars.
  static func withoutMedia(_ text: String, limit: Int? = nil) -> String {
    var text = text
    if hasBase64(&text) || mayHaveBase64(&text) { text = withoutInlineMedia(.string(text)).string ?? text }
    guard let limit, text.utf8.count > limit else { return text }
    let end = text.unicodeScalars.index(text.startIndex, offsetBy: limit, limitedBy: text.endIndex)
    return end.map { String(text.unicodeScalars[..<$0]) } ?? text
  }

  /// With memchr, as the standard library's search took a quarter of all of indexing.
  private static func hasBase64(_ text: inout String) -> Bool {
    text.withUTF8 { bytes in
      let mark: StaticString = ";base64,"
      var rest = bytes[...]
      while let semicolon = Self.semicolon(in: rest) {
        rest = rest[semicolon...]
        guard rest.count >= mark.utf8CodeUnitCount else { return false }
        if rest.starts(with: UnsafeBufferPointer(start: mark.utf8Start, count: mark.utf8CodeUnitCount)) { return true }
        rest.removeFirst()
      }
      return false
    }
  }

  private static func semicolon(in bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
    let buffer = UnsafeBufferPointer(rebasing: bytes)
    guard let base = buffer.baseAddress, let found = memchr(base, 0x3B, buffer.count) else { return nil }
    return bytes.startIndex + (UnsafeRawPointer(found) - UnsafeRawPointer(base))
  }
}
