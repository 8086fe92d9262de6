import Testing

@testable import TapeQuery

@Suite struct SequenceDiffTests {
  /// The longest common subsequence by the table that everybody knows.
  private static func longestCommon(_ a: [Int32], _ b: [Int32]) -> Int {
    var row = [Int](repeating: 0, count: b.count + 1)
    for x in a {
      var diagonal = 0
      for (index, y) in b.enumerated() {
        let above = row[index + 1]
        row[index + 1] = x == y ? diagonal + 1 : max(above, row[index])
        diagonal = above
      }
    }
    return row[b.count]
  }

  private func check(_ diff: SequenceDiff, _ a: [Int32], _ b: [Int32]) {
    var (inA, inB) = (0, 0)
    for match in diff.matches {
      #expect(match.a >= inA && match.b >= inB && match.count > 0)
      #expect(a[match.a..<match.a + match.count] == b[match.b..<match.b + match.count])
      (inA, inB) = (match.a + match.count, match.b + match.count)
    }
    #expect(inA <= a.count && inB <= b.count)
  }

  private static func kept(_ diff: SequenceDiff) -> Int { diff.matches.reduce(0) { $0 + $1.count } }

  @Test func theFewestEditsAreFound() {
    var generator = SplitMix(seed: 7)
    for _ in 0..<400 {
      let letters = Int32.random(in: 1...6, using: &generator)
      let (a, b) = (sequence(letters, &generator), sequence(letters, &generator))
      let diff = SequenceDiff(a, b)
      check(diff, a, b)
      #expect(diff.isSmallest && Self.kept(diff) == Self.longestCommon(a, b), "\(a) \(b)")
    }
  }

  private func sequence(_ letters: Int32, _ generator: inout SplitMix) -> [Int32] {
    (0..<Int.random(in: 0...24, using: &generator)).map { _ in Int32.random(in: 0..<letters, using: &generator) }
  }

  @Test func whereBoundsAreMetTheDiffIsStillRight() {
    var generator = SplitMix(seed: 11)
    for (edits, budget) in [(3, 1_000_000), (2_000, 50), (0, 0)] {
      for _ in 0..<100 {
        let (a, b) = (sequence(9, &generator), sequence(9, &generator))
        check(SequenceDiff(a, b, maximumEdits: edits, budget: budget), a, b)
      }
    }
  }

  @Test func fixedPointsKeepWhatIsTheSameInVeryDifferentTexts() {
    // Every tenth word is in both, and nothing else.
    let a = (0..<20_000).map { Int32($0 % 10 == 0 ? $0 : 100_000 + $0) }
    let b = (0..<20_000).map { Int32($0 % 10 == 0 ? $0 : 200_000 + $0) }
    let diff = SequenceDiff(a, b)
    check(diff, a, b)
    #expect(!diff.isSmallest && Self.kept(diff) == 2_000)
  }

  @Test func whatHasNothingInCommonIsReplaced() {
    let diff = SequenceDiff([Int32](repeating: 1, count: 50_000), [Int32](repeating: 2, count: 50_000))
    #expect(diff.matches.isEmpty && !diff.isSmallest)
  }
}

/// Numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
