internal import TapeTypes

/// Text of unknown origin made fit for a terminal, and measured as one shows it.
package enum TerminalText {
  /// Control characters, escapes and marks that reorder text, shown instead of obeyed:
  /// recorded text is hostile. Newlines and tabs stay when `keepingLines`.
  package static func escaped(_ text: String, keepingLines: Bool = false) -> String {
    VisibleText.escaped(text, keepingLines: keepingLines)
  }

  /// The same lines, of JSON or CSV, with JSON escapes for what a terminal would obey but for ends of lines and tabs.
  package static func escapedJSON(_ json: [UInt8]) -> [UInt8] {
    let text = String(decoding: json, as: UTF8.self)
    func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
      VisibleText.isUnsafe(scalar) && !["\n", "\r", "\t"].contains(scalar)
    }
    guard text.unicodeScalars.contains(where: isObeyed) else { return json }
    var out: [UInt8] = []
    for scalar in text.unicodeScalars {
      if isObeyed(scalar) {
        let digits = String(scalar.value, radix: 16)
        out += Array("\\u".utf8) + Array(repeatElement(0x30, count: 4 - digits.utf8.count)) + Array(digits.utf8)
      } else {
        out += Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    return out
  }

  /// Columns that a terminal uses for `text`: two for wide characters, none for combining ones. Terminals differ in
  /// what they join to one picture: it is counted as what takes the most.
  package static func width(_ text: String) -> Int {
    var width = 0
    var last = 0
    for scalar in text.unicodeScalars {
      let next = self.width(scalar, after: last)
      width += next
      if next > 0 { last = next }
    }
    return width
  }

  /// The same of one character behind one of `last` columns.
  private static func width(_ scalar: Unicode.Scalar, after last: Int) -> Int {
    // What is a sign by itself becomes a picture by this one behind it.
    scalar == "\u{FE0F}" && last == 1 ? 1 : width(scalar)
  }

  /// The same of one character.
  static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0..<0x300: return 1
    // Joiners, variation selectors, tones of skin, and the vowels and ends of Korean syllables in pieces.
    case 0x200B...0x200D, 0xFE00...0xFE0F, 0x1F3FB...0x1F3FF, 0x1160...0x11FF, 0xD7B0...0xD7FF: return 0
    default:
      if WideCharacters.contains(scalar) { return 2 }
      switch scalar.properties.generalCategory {
      case .nonspacingMark, .enclosingMark, .format: return 0
      default: return 1
      }
    }
  }

  /// At most `columns` columns of `text`, the last one `…` if something was left out.
  package static func truncated(_ text: String, to columns: Int) -> String {
    guard width(text) > columns else { return text }
    var out = String.UnicodeScalarView()
    var used = 0
    var last = 0
    for scalar in text.unicodeScalars {
      let next = width(scalar, after: last)
      guard used + next <= columns - 1 else { break }
      used += next
      if next > 0 { last = next }
      out.append(scalar)
    }
    return columns > 0 ? String(out) + "…" : ""
  }

  /// The same of its end.
  package static func truncated(_ text: String, toLast columns: Int) -> String {
    guard width(text) > columns else { return text }
    var start = text.endIndex
    while start > text.startIndex {
      let next = text.index(before: start)
      guard width(String(text[next...])) <= columns - 1 else { break }
      start = next
    }
    return columns > 0 ? "…" + text[start...] : ""
  }

  /// `text` with spaces to `columns`, in front of it when `right`.
  package static func padded(_ text: String, to columns: Int, right: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(0, columns - width(text)))
    return right ? spaces + text : text + spaces
  }
}
