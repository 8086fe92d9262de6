import TapeTypes
import Testing

struct TextNumbersTests {
  @Test func textsHaveTheNumbersInWhichTheyFirstCame() {
    var numbers = TextNumbers()
    let texts = (0..<3_000).map { String(repeating: "é", count: $0 % 40) + "\($0)" } + ["", "a", "é", "e\u{301}"]
    let first = texts.map { numbers.number($0) }
    // "é" and "e" with an accent are the same text to Swift, and two to whoever asks for one of them.
    #expect(first == Array(0..<3_004))
    for (place, text) in texts.enumerated().reversed() { #expect(numbers.number(text) == place) }
    #expect(numbers.texts.strings.map { Array($0.utf8) } == texts.map { Array($0.utf8) })
  }

  @Test func textsAreToldApartByEachOfTheirBytes() {
    var numbers = TextNumbers()
    let texts = (0..<40).flatMap { length in
      (0...length).map { place in
        var bytes = [UInt8](repeating: 0x61, count: length)
        if place < length { bytes[place] = 0x62 }
        return String(decoding: bytes, as: UTF8.self)
      }
    }
    #expect(texts.map { numbers.number($0) } == Array(texts.indices))
  }

  @Test func aListFindsItsTextsByTheirBytes() {
    var list = TextList()
    for text in ["", "e\u{301}", "a", "ab"] { Array(text.utf8).withUnsafeBytes { list.append($0) } }
    #expect(list.strings.map { Array($0.utf8) } == ["", "e\u{301}", "a", "ab"].map { Array($0.utf8) })
    #expect(list.place(of: "ab") == 3 && list.place(of: "") == 0 && list.place(of: "é") == nil)
  }
}
