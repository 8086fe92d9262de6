import TapeTypes
import Testing

@Suite struct HistogramTests {
  @Test func aValueThatEqualsABoundBelongsToIt() {
    var histogram = Histogram(bounds: [10, 20])
    for value: Int64 in [0, 10, 11, 20, 21, 1_000] { histogram.add(value) }
    #expect(histogram.counts == [2, 2, 2])
    #expect(histogram.sum == 1_062)
    #expect(histogram.count == 6)
  }

  @Test func twoAreAddedUp() {
    var (left, right) = (Histogram(bounds: [10]), Histogram(bounds: [10]))
    left.add(1)
    right.add(2)
    right.add(30)
    left.add(right)
    #expect(left.counts == [2, 1])
    #expect(left.sum == 33)
    left.clear()
    #expect(left == Histogram(bounds: [10]))
  }

  /// As OpenTelemetry's conventions for generative AI list them.
  @Test func theBoundsAreThoseOfTheConventions() {
    let milliseconds: [Int64] = [
      10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480, 40_960, 81_920,
    ]
    #expect(Histogram.operationNs.bounds == milliseconds.map { $0 * 1_000_000 })
    let tokens: [Int64] = [
      1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
    ]
    #expect(Histogram.tokens.bounds == tokens)
  }
}
