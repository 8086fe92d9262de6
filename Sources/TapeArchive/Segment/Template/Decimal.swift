/// Decimal numbers in text.
enum Decimal {
  /// Digits only, none but the value 0 beginning with a zero; nil for anything else.
  static func parse(_ text: some Collection<UInt8>) -> Int? {
    guard let first = text.first, text.count <= 19, first != 0x30 || text.count == 1 else { return nil }
    var value = 0
    for byte in text {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.addingReportingOverflow(Int(byte - 0x30))
      guard !overflow, !overflow2 else { return nil }
      value = sum
    }
    return value
  }

  /// The same with a minus sign before it, perhaps; 0 has none.
  static func parseSigned(_ text: some Collection<UInt8>) -> Int? {
    guard text.first == 0x2D else { return parse(text) }
    guard let value = parse(text.dropFirst()), value > 0 else { return nil }
    return -value
  }

  static func append(_ value: Int, to out: inout [UInt8]) {
    if value < 0 { out.append(0x2D) }
    var rest = value.magnitude
    let start = out.count
    repeat {
      out.append(0x30 + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    out[start...].reverse()
  }
}
