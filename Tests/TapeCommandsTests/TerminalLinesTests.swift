import Testing

@testable import TapeCommands

@Suite struct TerminalLinesTests {
  @Test(arguments: [
    ("", 10, [""]), ("short", 10, ["short"]), ("one two three", 7, ["one two", "three"]),
    ("one two three", 8, ["one two", "three"]), ("one  two", 4, ["one", "two"]), ("a\n\nb", 9, ["a", "", "b"]),
    ("  code stays", 8, ["  code", "stays"]), ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    // A word that has no room on any line is broken where it stands.
    ("a bcdefghijkl", 4, ["a bc", "defg", "hijk", "l"]), ("数据处理完成", 5, ["数据", "处理", "完成"]),
    ("is 数据处理", 6, ["is 数", "据处理"]), ("数据 abc", 6, ["数据", "abc"]),
    ("e\u{301}e\u{301}e\u{301}", 2, ["e\u{301}e\u{301}", "e\u{301}"]),
    ("ab cd  ", 5, ["ab cd"]), ("\tx\ty", 9, ["    x   y"]), ("ab cd   ", 8, ["ab cd   "]),
  ])
  func textIsBrokenWhereALineMayEnd(text: String, columns: Int, lines: [String]) {
    #expect(TerminalLines.wrapped(text, to: columns) == lines)
  }

  @Test func coloursTakeNoRoomAndGoOnOverTheEndOfALine() {
    let red = "\u{1B}[31m"
    let green = "\u{1B}[32m"
    let off = "\u{1B}[0m"
    #expect(TerminalLines.wrapped("\(red)one two\(off) six", to: 7) == ["\(red)one two\(off)", "six"])
    #expect(TerminalLines.wrapped("\(red)one two\(off)", to: 4) == ["\(red)one\(off)", "\(red)two\(off)"])
    // The colour began with the space that is left out.
    #expect(TerminalLines.wrapped("aa\(red) bb\(off)", to: 2) == ["aa", "\(red)bb\(off)"])
    #expect(TerminalLines.wrapped("\(red)a\(off)\(green)b\(off)", to: 9) == ["\(red)a\(off)\(green)b\(off)"])
  }

  @Test func noLineIsWiderThanItMayBe() {
    let text = "The quick 数据处理完成 brown fox, 👋🏽 jumps over the lazy dog and-a-very-long-word-without-any-space."
    for columns in 8...60 {
      let lines = TerminalLines.wrapped(text, to: columns)
      #expect(lines.allSatisfy { TerminalText.width($0) <= columns })
      #expect(lines.joined().filter { $0 != " " } == text.filter { $0 != " " })
    }
  }
}
