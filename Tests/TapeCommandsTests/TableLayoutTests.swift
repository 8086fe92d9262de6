import Testing

@testable import TapeCommands

@Suite struct TableLayoutTests {
  private let columns = [
    Column("ID") { _ in "" }.whole, Column("NAME") { _ in "" }, Column("TOKENS", right: true) { _ in "" }.optional(1),
    Column("TEXT") { _ in "" }.optional(2),
  ]

  /// Needed are 26 + 14 + 6 + 100 columns, and 6 between them.
  @Test(arguments: [
    (0, [26, 14, 6, 100], []), (152, [26, 14, 6, 100], []), (100, [26, 14, 6, 48], []), (66, [26, 14, 6, 14], []),
    (64, [26, 13, 6, 13], []), (58, [26, 10, 6, 10], []), (57, [26, 14, 6], ["TEXT"]),
    (40, [26, 12], ["TOKENS", "TEXT"]),
    (20, [26, 10], ["TOKENS", "TEXT"]),
  ])
  func aTableFitsTheTerminal(terminal: Int, widths: [Int], leftOut: [String]) {
    let layout = TableLayout(columns, needed: [26, 14, 6, 100], terminal: terminal)
    #expect(layout.widths == widths)
    #expect(layout.leftOut == leftOut)
    #expect(layout.shown == Array(0..<widths.count))
  }

  @Test func whatSaysNothingIsNotShownAndNotMissed() {
    let layout = TableLayout(columns, needed: [26, nil, 6, 100], terminal: 80)
    #expect(layout.shown == [0, 2, 3])
    #expect(layout.widths == [26, 6, 44])
    #expect(layout.leftOut.isEmpty)
  }

  @Test func laterRowsGetRoomOnlyWhereTheyCannotBeCut() {
    let layout = TableLayout(columns, needed: [26, 5, 6, 10], terminal: 80)
    #expect(layout.widened(columns, needed: [26, 50, 9, 200]).widths == [26, 5, 9, 10])
    let free = TableLayout(columns, needed: [26, 5, 6, 10], terminal: 0)
    #expect(free.widened(columns, needed: [26, 50, 9, 200]).widths == [26, 50, 9, 200])
  }
}
