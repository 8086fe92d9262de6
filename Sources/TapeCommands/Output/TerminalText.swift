/// Text of unknown origin made fit for a terminal, and measured as one shows it.
package enum TerminalText {
  /// Control characters, escapes and marks that reorder text, shown instead of obeyed:
  /// recorded text is hostile. Newlines and tabs stay when `keepingLines`.
  package static func escaped(_ text: String, keepingLines: Bool = false) -> String {
    guard text.unicodeScalars.contains(where: { isUnsafe($0) }) else { return text }
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if !isUnsafe(scalar) || (keepingLines && (scalar == "\n" || scalar == "\t")) {
        out.append(scalar)
      } else {
        switch scalar {
        case "\n": out.append(contentsOf: "\\n".unicodeScalars)
        case "\r": out.append(contentsOf: "\\r".unicodeScalars)
        case "\t": out.append(contentsOf: "\\t".unicodeScalars)
        default: out.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
        }
      }
    }
    return String(out)
  }

  /// The same lines, of JSON or CSV, with JSON escapes for what a terminal would obey but for ends of lines and tabs.
  package static func escapedJSON(_ json: [UInt8]) -> [UInt8] {
    let text = String(decoding: json, as: UTF8.self)
    func isObeyed(_ scalar: Unicode.Scalar) -> Bool { isUnsafe(scalar) && !["\n", "\r", "\t"].contains(scalar) }
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

  /// C0, DEL, C1, line and paragraph separators, and the bidirectional controls.
  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x061C: true
    default: false
    }
  }

  /// Columns that a terminal uses for `text`: two for wide characters, none for combining ones.
  package static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + width($1) }
  }

  /// The same of one character.
  static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0..<0x300: return 1
    case 0x200B...0x200D, 0xFE00...0xFE0F, 0x1F3FB...0x1F3FF: return 0
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default:
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
    for scalar in text.unicodeScalars {
      let next = width(scalar)
      guard used + next <= columns - 1 else { break }
      used += next
      out.append(scalar)
    }
    return columns > 0 ? String(out) + "…" : ""
  }

  /// `text` with spaces to `columns`, in front of it when `right`.
  package static func padded(_ text: String, to columns: Int, right: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(0, columns - width(text)))
    return right ? spaces + text : text + spaces
  }
}
