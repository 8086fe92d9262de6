import Testing

@testable import TapeCommands

@Suite struct PagerTests {
  @Test(
    arguments: [
      (nil, "less -FRX"), ("", nil), ("cat", nil), ("  ", nil), ("no-such-program-anywhere", nil),
      ("sh -c x", "sh -c x"),
      ("/bin/sh", "/bin/sh"), ("/no/such/program -x", nil), ("LESS= less", "LESS= less"),
    ] as [(String?, String?)])
  func whatTheVariableMeans(variable: String?, command: String?) {
    let found = Pager.command(variable)
    // Without less on a machine there is no pager.
    #expect(found == command || variable == nil && found == nil)
  }

  @Test(arguments: [
    (0, 100, 80), (50, 100, 80), (100, 100, 80), (3, 7, 40), (5, 10, 20), (1, 1 << 50, 0),
  ])
  func aProgressBarFitsTheTerminal(done: Int, total: Int, columns: Int) {
    let line = ProgressBar.line("indexing", done: done, of: total, secondsLeft: 90, columns: columns)
    #expect(line.hasPrefix("indexing ") && line.hasSuffix("1 min left"))
    #expect(line.contains("\(Int(Double(done) / Double(total) * 100)) %"))
    if columns >= 40 { #expect(line.count < columns) }
  }
}
