import TapeTypes
import Testing

@Suite struct PairNumbersTests {
  /// The same numbers as a dictionary gives, also for pairs whose hashes are alike.
  @Test(arguments: [1, 7, 1 << 20, 1 << 40, -1]) func pairsAreNumberedAsTheyCome(step: Int) {
    var numbers = PairNumbers()
    var known: [[Int]: Int] = [:]
    for round in 0..<3 {
      for first in 0..<60 {
        for second in 0..<60 {
          let pair = [first &* step, (second - 30) &* step]
          let number = numbers.number(pair[0], pair[1])
          #expect(number == known[pair] ?? known.count)
          known[pair] = number
          #expect(numbers.pairs[number] == PairNumbers.Pair(first: pair[0], second: pair[1]))
        }
      }
      #expect(numbers.count == 3600, "round \(round)")
    }
  }
}
