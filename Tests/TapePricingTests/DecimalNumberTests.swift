import TapePricing
import Testing

@Suite struct DecimalNumberTests {
  @Test(arguments: [
    ("0", "0"), ("-0", "0"), ("12.50", "12.5"), ("1e-7", "0.0000001"), ("1E3", "1000"), ("0.003625", "0.003625"),
    ("-0.5", "-0.5"), ("100", "100"), ("00012", "12"), (".5", "0.5"), ("5.", "5"), ("1.5e1", "15"),
    ("123456789012345678901234567890.123456", "123456789012345678901234567890.123456"),
  ])
  func numbersAreReadAndWrittenExactly(text: String, want: String) {
    #expect(DecimalNumber(text)?.description == want)
  }

  @Test(arguments: [
    "", ".", "-", "1.2.3", "x", "1x", "1e", "1e99", "1e-99", "--1", "1 ", "1234567890123456789012345678901234567",
  ])
  func whatIsNoNumberIsRefused(text: String) { #expect(DecimalNumber(text) == nil) }

  @Test func sumsAndProductsAreExact() throws {
    let tenth = try #require(DecimalNumber("0.1"))
    #expect((0..<10).reduce(DecimalNumber.zero) { sum, _ in sum + tenth } == DecimalNumber(1))
    let price = try #require(DecimalNumber("0.15"))
    #expect((DecimalNumber(1234) * price).shifted(by: -6).description == "0.0001851")
    #expect((DecimalNumber(Int.max) * price).shifted(by: -6).description == "1383505805528.21637105")
    #expect(tenth - price == DecimalNumber("-0.05"))
  }

  @Test func orderIsByValue() throws {
    let numbers = try ["-2", "-0.5", "0", "0.09", "0.1", "1e3"].map { try #require(DecimalNumber($0)) }
    #expect(numbers.reversed().sorted() == numbers)
  }

  @Test func whatDoesNotFitSaturatesInsteadOfTrapping() throws {
    let large = try #require(DecimalNumber("123456789012345678901234567890"))
    #expect(large * large > large)
    #expect(-(large * large) < large)
    let small = try #require(DecimalNumber("1e-30"))
    #expect(large * large + small > large)
  }
}
