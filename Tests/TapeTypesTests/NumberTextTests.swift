import TapeTypes
import Testing

struct DecimalTextTests {
  @Test(
    arguments: [
      (0, false, 0, "0"), (0, false, -3, "0.000"), (7, false, 0, "7"), (7, true, 2, "-700"), (12, false, -2, "0.12"),
      (12, true, -1, "-1.2"), (12, false, -5, "0.00012"),
      (1_000_000_000_000_000_000, false, -18, "1.000000000000000000"),
      (UInt128.max, true, 0, "-340282366920938463463374607431768211455"),
      (UInt128.max, false, -20, "3402823669209384634.63374607431768211455"),
      (UInt128(UInt64.max) + 1, false, -30, "0.000000000018446744073709551616"),
      (100_000_000_000_000_000_000_000_000_000_000_001, false, -16, "10000000000000000000.0000000000000001"),
    ] as [(UInt128, Bool, Int, String)])
  func numbersAreWrittenWithAllTheirPlaces(_ digits: UInt128, isNegative: Bool, exponent: Int, want: String) {
    #expect(DecimalText.text(digits, isNegative: isNegative, exponent: exponent) == want)
  }

  @Test func theyAreWhatTheStandardLibraryWrites() {
    for step in 0..<2_000 {
      // Digits of every length, spread by a multiplication that wraps.
      let spread = UInt128(step + 1) &* 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835
      let digits = spread >> UInt128(step % 128)
      #expect(DecimalText.text(digits, exponent: 0) == String(digits))
      let places = 1 + step % 44
      let padded = String(repeating: "0", count: max(0, places + 1 - String(digits).count)) + String(digits)
      #expect(DecimalText.text(digits, exponent: -places) == padded.dropLast(places) + "." + padded.suffix(places))
    }
  }
}

struct NameBitsTests {
  @Test func aUnionHasTheNamesOfBoth() {
    var names = NameBits()
    let (left, right) = (names.bits(["b", "a"]), names.bits(["c", "a"]))
    #expect(names.names(left) == ["a", "b"])
    #expect(names.names(left | right) == ["a", "b", "c"])
    #expect(names.names(names.bits([String]())).isEmpty)
  }

  @Test func namesThatAreTooManyAreNotLost() {
    var names = NameBits()
    let bits = names.bits((0..<70).map { "n\($0)" })
    #expect(names.names(bits).count == 64)
    #expect(names.names(names.bits(["n69"])) == ["more"])
    #expect(names.names(names.bits(["n62"])) == ["n62"])
  }
}
