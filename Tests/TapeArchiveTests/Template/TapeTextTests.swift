import TapeTypes
import Testing

@testable import TapeArchive

@Suite struct TapeTextTests {
  private func encode(_ bytes: [UInt8]) -> (text: [UInt8], escapes: TapeText.Escapes) {
    bytes.withUnsafeBufferPointer { bytes in
      let escapes = TapeText.escapes(in: bytes)
      var text: [UInt8] = []
      TapeText.append(bytes, escapes, to: &text)
      return (text, escapes)
    }
  }

  private func decode(_ text: [UInt8], _ escapes: TapeText.Escapes) throws -> [UInt8] {
    try text.withUnsafeBufferPointer { try TapeText.decode($0, escapes) }
  }

  /// A zstd frame holds 2²⁸ bytes at most, and a call of half of that has to fit, whatever it consists of.
  @Test(arguments: ["\n", "\u{7F}", "\u{85}", "␛", "a\t", "\0a", "abcd\r", "\n\u{FFFD}"])
  func theTextOfALargeCallIsHardlyLonger(unit: String) throws {
    let bytes = Array(String(repeating: unit, count: 1000).utf8)
    var text: [UInt8] = []
    bytes.withUnsafeBufferPointer { TapeText.append($0, .none, isLarge: true, to: &text) }
    #expect(text.count <= bytes.count * 3 / 2)
    #expect(try decode(text, .none) == bytes)
  }

  /// As the page of the format has them.
  static let examples: [(bytes: [UInt8], text: String, escapes: TapeText.Escapes)] = [
    ([], "", .none), (Array("plain \\n \"text\"".utf8), "plain \\n \"text\"", .none),
    (Array("a\nb\r\n\t".utf8), "a␛0Ab␛0D␛0A␛09", .none), ([0x61, 0x00, 0x7F, 0xC2, 0x85], "a␛00␛7F␛C2␛85", .none),
    (Array("a␛b".utf8), "a␛E2␛90␛9Bb", .none), ([0x61, 0xFF, 0x62, 0xC3], "a␛FFb␛C3", .none),
    (Array("é数🙂".utf8), "é数🙂", .none), (Array(#"\u00e9t\u00e9"#.utf8), "été", .lower),
    (Array(#"\u00E9"#.utf8), "é", .upper), (Array(#"\u00e9\u00E9"#.utf8), "é\\u00E9", .lower),
    (Array(#"\ud83d\ude42 \ud83d \u0041 \u0080 \\u00e9"#.utf8), "🙂 \\ud83d \\u0041 \\u0080 \\\\u00e9", .lower),
    (Array("\\u00e9é".utf8), "\\u00e9é", .none), (Array(#"\u241b\u00e9"#.utf8), "\\u241bé", .lower),
    (Array(#"\u2028\uffff"#.utf8), "\u{2028}\u{FFFF}", .lower), ([0x5C], "\\", .none),
    ([0x5C, 0x75, 0x30], "\\u0", .none),
    ([0, 1, 2, 3, 4, 0xFF], "␛(AAECAwT/)", .none),
  ]

  @Test(arguments: examples.indices) func examplesAreWrittenAndReadAsThePageSays(index: Int) throws {
    let example = Self.examples[index]
    let (text, escapes) = encode(example.bytes)
    #expect(String(decoding: text, as: UTF8.self) == example.text)
    #expect(Array(example.text.utf8) == text)
    #expect(escapes == example.escapes)
    #expect(try decode(text, escapes) == example.bytes)
  }

  @Test(arguments: 0..<20) func anyBytesComeBack(seed: Int) throws {
    var generator = Seeded(state: UInt64(seed))
    let parts: [[UInt8]] = [
      Array(#"\u00e9"#.utf8), Array(#"\u00E9"#.utf8), Array(#"\ud83d"#.utf8), Array(#"\ude42"#.utf8), [0x5C],
      [0x5C, 0x75], Array("␛".utf8), Array("é".utf8), [0xC3], [0xE2, 0x90], [0], [0x0A], [0x7F], Array("word ".utf8),
      [0xC2, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x9F], Array("<0>".utf8), Array("(AA)".utf8),
    ]
    for _ in 0..<100 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<12, using: &generator) {
        // Half of the time escapes only, so that they are shown as characters.
        let range = seed % 2 == 0 ? 0..<6 : 0..<parts.count
        bytes += parts[Int.random(in: range, using: &generator)]
      }
      let (text, escapes) = encode(bytes)
      #expect(try decode(text, escapes) == bytes)
      let string = try #require(String(validating: text, as: UTF8.self))
      #expect(string.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }
  }

  @Test(arguments: ["␛", "␛0", "␛0a", "␛G0", "␛(", "␛(A)", "␛(A=A)", "␛<0>", "␛<"]) func whatIsNoEscapeIsRefused(
    text: String
  ) {
    #expect(throws: BlockError.self) { try decode(Array(text.utf8), .none) }
  }

  @Test func textThatIsNotUTF8IsRefused() {
    #expect(throws: BlockError.self) { try decode([0x61, 0xFF], .none) }
  }
}
