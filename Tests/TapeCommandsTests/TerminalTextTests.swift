import Testing

@testable import TapeCommands

@Suite struct TerminalTextTests {
  @Test(arguments: [
    ("plain é 数据", "plain é 数据"), ("\u{1B}[31mred", "\\u{1b}[31mred"), ("a\nb\tc\r", "a\\nb\\tc\\r"),
    ("\u{7F}\u{85}\u{9B}2J", "\\u{7f}\\u{85}\\u{9b}2J"), ("abc\u{202E}fed", "abc\\u{202e}fed"),
    ("x\u{2066}y\u{200F}", "x\\u{2066}y\\u{200f}"), ("\u{0}", "\\u{0}"),
  ])
  func controlCharactersAreShownInsteadOfObeyed(text: String, shown: String) {
    #expect(TerminalText.escaped(text) == shown)
  }

  @Test func linesMayBeKept() {
    #expect(TerminalText.escaped("a\n\tb\u{1B}", keepingLines: true) == "a\n\tb\\u{1b}")
    #expect(TerminalText.escaped("a\r\nb", keepingLines: true) == "a\\r\nb")
  }

  @Test(arguments: [
    ("abc", 3), ("数据", 4), ("e\u{301}", 1), ("👋", 2), ("한글", 4), ("", 0), ("ｆｕ", 4), ("✅⚡⭐⌚", 8), ("☂", 1),
    ("☂\u{FE0F}", 2), ("👋\u{FE0F}", 2), ("\u{1112}\u{1161}\u{11AB}", 2), ("🌡", 1), ("🫠🪿", 4), ("🇳🇱", 2), ("👍🏽", 2),
  ])
  func wideCharactersTakeTwoColumns(text: String, columns: Int) {
    #expect(TerminalText.width(text) == columns)
  }

  @Test func textIsCutToColumnsAndNotToCharacters() {
    #expect(TerminalText.truncated("数据数据", to: 5) == "数据…")
    #expect(TerminalText.truncated("数据数据", to: 4) == "数…")
    #expect(TerminalText.truncated("abcd", to: 4) == "abcd")
    #expect(TerminalText.truncated("abcd", to: 0) == "")
    #expect(TerminalText.truncated("✅ ☂\u{FE0F} x", to: 6) == "✅ ☂\u{FE0F}…")
    #expect(TerminalText.truncated("数据ab", toLast: 4) == "…ab")
    #expect(TerminalText.truncated("数据ab", toLast: 5) == "…据ab")
    #expect(TerminalText.truncated("ab", toLast: 2) == "ab")
    #expect(TerminalText.padded("数", to: 4) == "数  ")
    #expect(TerminalText.padded("7", to: 3, right: true) == "  7")
  }

  @Test func jsonStaysJSONWithoutWhatATerminalObeys() {
    let json = Array("{\"a\":\"x\u{9B}31m\u{202E}y\u{7F}é数\"}".utf8)
    #expect(TerminalText.escapedJSON(json) == Array("{\"a\":\"x\\u009b31m\\u202ey\\u007fé数\"}".utf8))
    #expect(TerminalText.escapedJSON(Array("{\"a\":\"é\"}".utf8)) == Array("{\"a\":\"é\"}".utf8))
  }
}
