import TapeJSON
import TapeTestSupport
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
    ] as [(Int, [Int], Int)])
  func percentilesAreNearestRank(percent: Int, values: [Int], expected: Int) {
    #expect(Percentiles.nearestRank([percent], of: values) == [expected])
    #expect(Percentiles.nearestRank([percent], of: values.reversed()) == [expected])
  }

  @Test func nothingHasNoPercentile() { #expect(Percentiles.nearestRank([50, 95], of: []) == [nil, nil]) }

  /// The same as sorting gives, for values that come once, often, sorted, or nearly so.
  @Test(arguments: [1, 2, 3, 10, 1_000, 5_003], [1, 3, 100, 1_000_000])
  func percentilesAreThoseOfSortedValues(count: Int, distinct: Int) {
    var random = SeededNumbers(UInt64(count * distinct))
    let values = (0..<count).map { _ in Int.random(in: 0..<distinct, using: &random) }
    for values in [values, values.sorted(), values.sorted().reversed()] {
      let sorted = values.sorted()
      let expected = [50, 95, 99].map { sorted[($0 * count + 99) / 100 - 1] }
      #expect(Percentiles.nearestRank([50, 95, 99], of: values) == expected)
    }
  }

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
