import TapeQuery
import Testing

@testable import TapeCommands

@Suite struct DiffTextTests {
  private let plain = TerminalStyle(isColoured: false, columns: 80)

  @Test func changesAreMarkedAndControlCharactersShown() {
    let diff = TextDiff("old \u{1B}[2J text", "new \u{1B}[2J text")
    #expect(DiffText(diff, style: plain).text == "[-old-]{+new+} \\u{1b}[2J text")
    let coloured = TerminalStyle(isColoured: true, columns: 80)
    #expect(DiffText(diff, style: coloured).text == "\u{1B}[31mold\u{1B}[0m\u{1B}[32mnew\u{1B}[0m \\u{1b}[2J text")
  }

  @Test func longStretchesThatAreTheSameAreLeftOut() {
    let same = (1...100).map(String.init).joined(separator: " ")
    let diff = TextDiff("a \(same) b \(same) c", "A \(same) B \(same) C")
    let text = DiffText(diff, style: plain, context: 2).text
    #expect(text == "[-a-]{+A+} 1 2 [… 96 words …] 99 100 [-b-]{+B+} 1 2 [… 96 words …] 99 100 [-c-]{+C+}")
    #expect(DiffText(diff, style: plain, context: nil).text.contains(" 50 "))
    // At the ends one side is enough.
    let ends = DiffText(TextDiff("\(same) b \(same)", "\(same) B \(same)"), style: plain, context: 2).text
    #expect(ends == "[… 98 words …] 99 100 [-b-]{+B+} 1 2 [… 98 words …]")
    #expect(DiffText(TextDiff(same, same), style: plain, context: 2).text == same)
  }
}
