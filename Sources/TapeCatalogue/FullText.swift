/// Makes text and queries for `call_fts`: characters of scripts that are written without spaces become words of
/// their own, so that any run of them is found as a phrase.
package enum FullText {
  /// The text as it goes into the index.
  package static func indexed(_ text: String) -> String {
    var text = text
    return text.withUTF8 { spaced(UnsafeRawBufferPointer($0)) } ?? text
  }

  /// nil if no character needs a space.
  private static func spaced(_ bytes: UnsafeRawBufferPointer) -> String? {
    var out: [UInt8] = []
    var copied = 0
    var position = 0
    while let start = wideCharacter(in: bytes, from: position) {
      let (scalar, length) = scalar(in: bytes, at: start)
      position = start + length
      guard isWrittenWithoutSpaces(scalar) else { continue }
      if copied == 0 { out.reserveCapacity(bytes.count + bytes.count / 4) }
      out.append(contentsOf: bytes[copied..<start])
      out.append(0x20)
      out.append(contentsOf: bytes[start..<position])
      out.append(0x20)
      copied = position
    }
    if copied == 0 { return nil }
    out.append(contentsOf: bytes[copied...])
    return String(decoding: out, as: UTF8.self)
  }

  /// The next character of three or four bytes, eight bytes at a time: everything below U+0800 is written with spaces.
  private static func wideCharacter(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var position = start
    while position + 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      // Its first byte has the three highest bits set.
      let leads = word & word << 1 & word << 2 & 0x8080_8080_8080_8080
      if leads != 0 { return position + leads.trailingZeroBitCount >> 3 }
      position += 8
    }
    while position < bytes.count {
      if bytes[position] >= 0xE0 { return position }
      position += 1
    }
    return nil
  }

  /// The character of three or four bytes at `start` of a valid text.
  private static func scalar(in bytes: UnsafeRawBufferPointer, at start: Int) -> (Unicode.Scalar, length: Int) {
    let length = bytes[start] < 0xF0 ? 3 : 4
    var value = UInt32(bytes[start]) & (length == 3 ? 0x0F : 0x07)
    for index in start + 1..<start + length { value = value << 6 | UInt32(bytes[index] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
  }

  /// How `call_fts` tells words.
  static let tokenizer = "unicode61 remove_diacritics 2"

  /// The MATCH expression that finds `phrase`; a `*` behind its last word stands for any end of that word. nil if it
  /// has no letter or digit to look for.
  package static func query(phrase: String) -> String? {
    guard phrase.unicodeScalars.contains(where: isWord) else { return nil }
    var words = phrase.unicodeScalars[...]
    while let last = words.last, last.properties.isWhitespace { words.removeLast() }
    let isPrefix = words.last == "*" && words.dropLast().last.map(isWord) == true
    if isPrefix { words.removeLast() }
    var quoted = "\""
    for scalar in indexed(String(words)).unicodeScalars {
      if scalar == "\"" { quoted += "\"\"" } else { quoted.unicodeScalars.append(scalar == "\0" ? " " : scalar) }
    }
    return quoted + (isPrefix ? "\"*" : "\"")
  }

  package static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .privateUse:
      true
    default: false
    }
  }

  package static func isWrittenWithoutSpaces(_ scalar: Unicode.Scalar) -> Bool {
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
