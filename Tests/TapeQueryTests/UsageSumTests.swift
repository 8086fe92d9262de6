import TapeJSON
import TapeTypes
import Testing

@testable import TapeQuery

@Suite struct UsageSumTests {
  /// Nearest rank: the value at position ⌈p·n/100⌉.
  @Test(
    arguments: [
      (50, [10], 10), (95, [10], 10), (50, [10, 20], 10), (50, [10, 20, 30], 20), (95, [10, 20, 30], 30),
      (50, Array(1...100), 50), (95, Array(1...100), 95), (95, Array(1...20), 19), (95, Array(1...21), 20),
      (50, Array(1...101), 51), (100, [1, 2, 3], 3),
    ] as [(Int, [Int64], Int64)])
  func percentilesAreNearestRank(percent: Int, values: [Int64], expected: Int64) {
    #expect(UsageSum.percentile(percent, of: values) == expected)
  }

  @Test func nothingHasNoPercentile() { #expect(UsageSum.percentile(50, of: []) == nil) }

  @Test func sumsOfTheUnknownAreUnknown() {
    var sum = TokenSum()
    sum.add(nil)
    #expect(sum.value == nil)
    sum.add(0)
    #expect(sum.value == 0)
    sum.add(nil)
    sum.add(7)
    #expect(sum.value == 7)
  }

  @Test func aSumThatDoesNotFitStopsAtTheHighestNumber() {
    var sum = TokenSum()
    sum.add(Int.max)
    sum.add(1)
    #expect(sum.value == Int.max)
  }

  @Test(
    arguments: [
      (0, "0"), (1, "0.000001"), (1_000_000, "1"), (1_500_000, "1.5"), (12_345_678_901, "12345.678901"),
      (-2_500_000, "-2.5"),
    ] as [(Int64, String)])
  func millisecondsAreExact(ns: Int64, text: String) {
    #expect(JSONPieces.milliseconds(ns) == .number(text))
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func base64IsThatOfRFC4648(text: String, encoded: String) {
    #expect(JSONPieces.base64(Array(text.utf8)) == encoded)
  }

  @Test func dimensionsAreReadInOrderAndOnce() throws {
    let expected: [UsageDimension] = [.identity, .day, .metadata("team")]
    #expect(try UsageDimension.list(parsing: "identity,day, meta:team,day") == expected)
  }

  @Test(arguments: ["", "identity,", "colour", "meta:", "Identity"])
  func unknownDimensionsAreRefused(text: String) {
    let error = #expect(throws: TapeError.self) { try UsageDimension.list(parsing: text) }
    #expect(error?.code == .usage)
  }
}
