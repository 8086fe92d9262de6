import TapeTypes
import Testing

@testable import TapeWeb

@Suite struct MetricsTextTests {
  @Test(arguments: [
    (Int64(0), 9, "0"), (1, 9, "0.000000001"), (1_500_000_000, 9, "1.5"), (10_000_000, 9, "0.01"), (42, 0, "42"),
    (-1_500_000, 6, "-1.5"), (81_920_000_000, 9, "81.92"), (9_007_199_254_740_993, 0, "9007199254740993"),
  ])
  func numbersAreExact(value: Int64, decimals: Int, text: String) {
    #expect(MetricsText.decimal(value, decimals) == text)
  }

  @Test func histogramsAreCumulative() {
    var histogram = Histogram(bounds: [10, 20])
    for value: Int64 in [5, 15, 15, 99] { histogram.add(value) }
    var page = MetricsText()
    page.family("took", .histogram, "How long.")
    page.histogram("took", histogram, decimals: 1, [("model", "a")])
    #expect(
      page.text == """
        # HELP took How long.
        # TYPE took histogram
        took_bucket{model="a",le="1"} 1
        took_bucket{model="a",le="2"} 3
        took_bucket{model="a",le="+Inf"} 4
        took_sum{model="a"} 13.4
        took_count{model="a"} 4

        """)
  }

  @Test func namesCannotEndAValueOrALine() {
    var page = MetricsText()
    page.sample("calls", 1, [("model", "a\"b\\c\nd\r\u{1B}[31m"), ("plain", "数据 é")])
    #expect(page.text == "calls{model=\"a\\\"b\\\\c\\nd\u{FFFD}\u{FFFD}[31m\",plain=\"数据 é\"} 1\n")
  }
}
