internal import TapeCatalogue

/// A text cut into words, runs of white space, and single marks. The pieces joined are the text, byte for byte.
///
/// Of scripts that are written without spaces each character is a word; combining marks and the parts of an emoji stay
/// with what they belong to.
struct Words {
  enum Kind { case word, space, mark }

  struct Piece {
    var kind: Kind
    var text: Substring
  }

  private(set) var pieces: [Piece] = []

  init(_ text: String) {
    var start = text.startIndex
    while start < text.endIndex {
      let kind = Self.kind(text[start])
      var end = text.index(after: start)
      if !Self.standsAlone(text[start], kind) { end = Self.end(of: kind, in: text, from: end) }
      pieces.append(Piece(kind: kind, text: text[start..<end]))
      start = end
    }
  }

  private static func end(of kind: Kind, in text: String, from start: String.Index) -> String.Index {
    var end = start
    while end < text.endIndex {
      let character = text[end]
      let next = text.index(after: end)
      if Self.kind(character) == kind {
        if standsAlone(character, kind) { return end }
      } else if kind == .word, joinsWords(character), next < text.endIndex, Self.kind(text[next]) == .word {
        // don't, 3.14
      } else {
        return end
      }
      end = next
    }
    return end
  }

  private static func joinsWords(_ character: Character) -> Bool {
    character == "'" || character == "’" || character == "." || character == ","
  }

  private static func standsAlone(_ character: Character, _ kind: Kind) -> Bool {
    switch kind {
    case .space: false
    case .mark: true
    case .word:
      character.unicodeScalars.first.map { FullText.isWrittenWithoutSpaces($0) && !isHangul($0) } ?? false
    }
  }

  private static func kind(_ character: Character) -> Kind {
    guard let scalar = character.unicodeScalars.first else { return .mark }
    if scalar.isASCII {
      switch scalar.value {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: return .word
      case 0x20, 0x09...0x0D: return .space
      default: return .mark
      }
    }
    if scalar.properties.isWhitespace { return .space }
    return FullText.isWord(scalar) || scalar.properties.generalCategory == .nonspacingMark
      || scalar.properties.generalCategory == .spacingMark ? .word : .mark
  }

  /// Korean has spaces between words.
  private static func isHangul(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x11FF, 0x3130...0x318F, 0xA960...0xA97F, 0xAC00...0xD7FF: true
    default: false
    }
  }
}
