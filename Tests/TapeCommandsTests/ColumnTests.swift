import Testing

@testable import TapeCommands

@Suite struct ColumnTests {
  @Test(arguments: [(1.25, 1, "1.3"), (0.0, 3, "0.000"), (12.3456, 3, "12.346"), (99.5, 0, "100"), (-0.04, 1, "0.0")])
  func numbersAreRoundedWithoutALocale(value: Double, decimals: Int, text: String) {
    #expect(Column.fixed(value, decimals) == text)
  }
}
