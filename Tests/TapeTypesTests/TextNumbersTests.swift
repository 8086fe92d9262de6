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
    #expect(numbers.texts.map { Array($0.utf8) } == texts.map { Array($0.utf8) })
  }
}
