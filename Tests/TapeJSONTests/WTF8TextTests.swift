import TapeJSON
import Testing

@Suite struct WTF8TextTests {
  @Test(arguments: [
    ([#""a\ud83d""#, #""\ude00b""#], "a😀b"), ([#""\ud83d""#, #""""#, #""\ude00""#], "😀"),
    ([#""a\ud83d""#, #""b""#], "a\u{FFFD}b"), ([#""\ude00""#, #""\ud83d""#], "\u{FFFD}\u{FFFD}"),
    ([#""\ud83d\ud83d""#, #""\ude00\ude00""#], "\u{FFFD}😀\u{FFFD}"),
  ])
  func surrogateHalvesJoinOverPieces(pieces: [String], want: String) throws {
    var text = WTF8Text()
    for piece in pieces { try append(Array(piece.utf8), to: &text) }
    #expect(Array(text.string.utf8) == Array(want.utf8))
  }

  @Test func aCharacterCutInHalvesHasTheBytesOfAWholeOne() throws {
    var text = WTF8Text()
    for piece in [#""a\ud83d""#, #""\ude00b""#] { try append(Array(piece.utf8), to: &text) }
    #expect(text.bytes == Array("a😀b".utf8))
    var first = WTF8Text()
    var second = WTF8Text()
    try append(Array(#""a\ud83d""#.utf8), to: &first)
    try append(Array(#""\ude00b\ud83d""#.utf8), to: &second)
    first.append(second)
    #expect(Array(first.string.utf8) == Array("a😀b\u{FFFD}".utf8))
  }

  @Test func brokenUTF8DoesNotJoinOverPieces() throws {
    var text = WTF8Text()
    try append([0x22, 0xE2, 0x82, 0x22], to: &text)
    try append([0x22, 0xAC, 0x22], to: &text)
    // A surrogate written as three raw bytes is not UTF-8 and no partner for anyone.
    try append([0x22, 0xED, 0xA0, 0xBD, 0x22], to: &text)
    try append(Array(#""\ude00""#.utf8), to: &text)
    #expect(text.string == String(repeating: "\u{FFFD}", count: 6))
  }

  @Test(arguments: [0x00...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF])
  func everyKindOfCodePointSurvivesRawAndEscaped(range: ClosedRange<UInt32>) throws {
    for value in stride(from: range.lowerBound, through: range.upperBound, by: 997) {
      let scalar = try #require(Unicode.Scalar(value))
      let escaped = String(scalar).utf16.map { unit in
        let hex = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      }.joined()
      #expect(try JSONValue(parsing: "\"\(escaped)\"").string == String(scalar))
      #expect(try JSONValue(parsing: JSONValue.string(String(scalar)).compact).string == String(scalar))
    }
  }

  private func append(_ json: [UInt8], to text: inout WTF8Text) throws {
    try json.withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      let slice = try cursor.document()
      text.append(slice, of: cursor)
    }
  }
}
