/// An exact decimal number: no floating point, no rounding.
package struct DecimalNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
  package static let zero = DecimalNumber(0)

  package init(_ value: Int) {}

  /// Reads `-12.50` or `1e-7`; nil for anything else and for what does not fit 38 digits.
  package init?(_ text: String) { return nil }

  package static func + (left: DecimalNumber, right: DecimalNumber) -> DecimalNumber { left }
  package static func < (left: DecimalNumber, right: DecimalNumber) -> Bool { false }
  /// Plain notation without trailing zeros: `0.0005253`.
  package var description: String { "0" }
}
