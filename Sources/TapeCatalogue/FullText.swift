/// Makes text and queries for `call_fts`: characters of scripts that are written without spaces become words of
/// their own, so that any run of them is found as a phrase.
package enum FullText {
  /// The text as it goes into the index.
  package static func indexed(_ text: String) -> String {
    // Everything below U+0E00 (first byte under 0xE0) is written with spaces: most text is copied as it is.
    guard text.utf8.contains(where: { $0 >= 0xE0 }) else { return text }
    var spaced = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if isWrittenWithoutSpaces(scalar) {
        spaced.append(" ")
        spaced.append(scalar)
        spaced.append(" ")
      } else {
        spaced.append(scalar)
      }
    }
    return String(spaced)
  }

  /// The MATCH expression that finds `phrase`; nil if it has no letter or digit to look for.
  package static func query(phrase: String) -> String? {
    guard phrase.unicodeScalars.contains(where: isWord) else { return nil }
    var quoted = "\""
    for scalar in indexed(phrase).unicodeScalars {
      if scalar == "\"" { quoted += "\"\"" } else { quoted.unicodeScalars.append(scalar == "\0" ? " " : scalar) }
    }
    return quoted + "\""
  }

  static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .privateUse:
      true
    default: false
    }
  }

  static func isWrittenWithoutSpaces(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0E00...0x0EFF,  // Thai, Lao
      0x0F00...0x0FFF,  // Tibetan
      0x1000...0x109F, 0xA9E0...0xA9FF, 0xAA60...0xAA7F,  // Burmese
      0x1780...0x17FF,  // Khmer
      0x1100...0x11FF, 0x3130...0x318F, 0xA960...0xA97F, 0xAC00...0xD7FF,  // Hangul: particles are written to the word
      0x2E80...0x2FDF, 0x3005...0x3007, 0x3021...0x3029, 0x3031...0x3035, 0x303B,  // radicals, iteration marks
      0x3040...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9F, 0x1AFF0...0x1B16F,  // kana
      0x3105...0x312F, 0x31A0...0x31BF,  // bopomofo
      0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x3FFFF:  // ideographs
      true
    default: false
    }
  }
}
