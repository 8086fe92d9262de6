internal import TapeTypes

/// An exact decimal number, `mantissa × 10^exponent` with up to 38 digits: no floating
/// point, no rounding.
///
/// Nothing traps: a sum that would need more digits loses its lowest ones, a product saturates.
/// Token counts times prices stay far below (10^19 × 10^6, twelve places).
package struct DecimalNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
  package static let zero = DecimalNumber(0)

  /// Without trailing zeros, so that equal numbers are equal values.
  private let mantissa: Int128
  private let exponent: Int

  package init(_ value: some BinaryInteger) { self.init(mantissa: Int128(clamping: value), exponent: 0) }

  private init(mantissa: Int128, exponent: Int) {
    var (mantissa, exponent) = (mantissa, exponent)
    // Divisions of 128 bits are slow: many zeros at once, and the rest in 64 bits where it fits.
    while Int64(exactly: mantissa) == nil {
      let (quotient, rest) = mantissa.quotientAndRemainder(dividingBy: 1_000_000)
      guard rest == 0 else { break }
      mantissa = quotient
      exponent += 6
    }
    if var small = Int64(exactly: mantissa) {
      while small != 0, small % 10 == 0 {
        small /= 10
        exponent += 1
      }
      mantissa = Int128(small)
    } else {
      while mantissa % 10 == 0 {
        mantissa /= 10
        exponent += 1
      }
    }
    self.mantissa = mantissa
    self.exponent = mantissa == 0 ? 0 : exponent
  }

  /// Reads `-12.50` or `1e-7`; nil for anything else, for more than 36 digits, and for exponents beyond ±60.
  package init?(_ text: String) {
    var bytes = Array(text.utf8)[...]
    let isNegative = bytes.first == 0x2D
    if isNegative { bytes.removeFirst() }
    let mark = bytes.firstIndex { $0 | 0x20 == 0x65 } ?? bytes.endIndex
    var exponent = 0
    if mark < bytes.endIndex {
      guard let power = Int(String(decoding: bytes[(mark + 1)...], as: UTF8.self)) else { return nil }
      exponent = power
    }
    var value: Int128 = 0
    var digits = 0
    var sawPoint = false
    for byte in bytes[..<mark] {
      if byte == 0x2E, !sawPoint {
        sawPoint = true
      } else if byte >= 0x30, byte <= 0x39, digits < 36 {
        value = value * 10 + Int128(byte - 0x30)
        digits += value == 0 ? 0 : 1
        // Counts all places; checked against the limit below.
        if sawPoint { exponent -= exponent > -1_000 ? 1 : 0 }
      } else {
        return nil
      }
    }
    guard bytes[..<mark].contains(where: { $0 != 0x2E }), abs(exponent) <= 60 else { return nil }
    self.init(mantissa: isNegative ? -value : value, exponent: exponent)
  }

  /// Can be the price of a million tokens or a thousand calls: under 9,000,000, and with at most 12 places behind the
  /// point, so that each token costs a whole number of 10⁻¹⁸ that fits into 64 bits, and no sum loses any of them.
  package var isInPriceRange: Bool { self < DecimalNumber(9_000_000) && exponent >= -12 }

  package var isZero: Bool { mantissa == 0 }

  private static let unitExponent = -18

  /// A whole number of 10⁻¹⁸.
  init(units: Int128) { self.init(mantissa: units, exponent: Self.unitExponent) }

  /// How many 10⁻¹⁸ it is; nil if that is no whole number or too large.
  var units: Int128? { exponent < Self.unitExponent ? nil : scaled(to: Self.unitExponent) }

  package static func + (left: DecimalNumber, right: DecimalNumber) -> DecimalNumber {
    let (first, second, exponent) = aligned(left, right)
    let (sum, overflow) = first.addingReportingOverflow(second)
    if overflow { return DecimalNumber(mantissa: first < 0 ? .min : .max, exponent: exponent) }
    return DecimalNumber(mantissa: sum, exponent: exponent)
  }

  package static func += (left: inout DecimalNumber, right: DecimalNumber) { left = left + right }

  package static prefix func - (number: DecimalNumber) -> DecimalNumber {
    DecimalNumber(mantissa: number.mantissa == .min ? .max : -number.mantissa, exponent: number.exponent)
  }

  package static func - (left: DecimalNumber, right: DecimalNumber) -> DecimalNumber { left + -right }

  package static func * (left: DecimalNumber, right: DecimalNumber) -> DecimalNumber {
    let exponent = left.exponent + right.exponent
    let (product, overflow) = left.mantissa.multipliedReportingOverflow(by: right.mantissa)
    if overflow {
      return DecimalNumber(mantissa: (left.mantissa < 0) != (right.mantissa < 0) ? .min : .max, exponent: exponent)
    }
    return DecimalNumber(mantissa: product, exponent: exponent)
  }

  /// The number times 10^`places`.
  package func shifted(by places: Int) -> DecimalNumber {
    DecimalNumber(mantissa: mantissa, exponent: exponent + places)
  }

  package static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
    let (first, second, _) = aligned(left, right)
    return first < second
  }

  /// Plain notation without trailing zeros: `0.0005253`.
  package var description: String {
    DecimalText.text(mantissa.magnitude, isNegative: mantissa < 0, exponent: exponent)
  }

  /// Both mantissas for one exponent: the smaller one, or the smallest at which both fit.
  private static func aligned(_ left: DecimalNumber, _ right: DecimalNumber) -> (Int128, Int128, exponent: Int) {
    var exponent = min(left.exponent, right.exponent)
    while true {
      if let first = left.scaled(to: exponent), let second = right.scaled(to: exponent) {
        return (first, second, exponent)
      }
      exponent += 1
    }
  }

  /// The mantissa for another exponent, cut off when that is larger; nil if it does not fit.
  private func scaled(to target: Int) -> Int128? {
    var result = mantissa
    if target > exponent {
      for _ in exponent..<target where result != 0 { result /= 10 }
      return result
    }
    for _ in 0..<(exponent - target) where result != 0 {
      let (next, overflow) = result.multipliedReportingOverflow(by: 10)
      if overflow { return nil }
      result = next
    }
    return result
  }
}
