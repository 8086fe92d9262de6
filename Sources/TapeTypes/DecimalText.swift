/// Decimal numbers in plain notation, written without intermediate strings: reports have tens of thousands of them.
package enum DecimalText {
  /// `digits` × 10^-`places` without the zeros at its end: (12_340, 3) is `12.34`.
  package static func trimmed(_ digits: UInt128, isNegative: Bool = false, places: Int) -> String {
    var places = places
    // Divisions of 128 bits are slow, and mostly there are none.
    if var small = UInt64(exactly: digits) {
      while places > 0, small % 10 == 0 {
        small /= 10
        places -= 1
      }
      return text(UInt128(small), isNegative: isNegative, exponent: -places)
    }
    var digits = digits
    while places > 0, digits % 10 == 0 {
      digits /= 10
      places -= 1
    }
    return text(digits, isNegative: isNegative, exponent: -places)
  }

  /// `digits` × 10^`exponent`, with all the places that the exponent says: (12_340, -3) is `12.340`.
  package static func text(_ digits: UInt128, isNegative: Bool = false, exponent: Int) -> String {
    // 39 digits, a sign, a point and a zero before it, and the zeros that the exponent adds.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 48 + abs(exponent)) { buffer in
      var place = buffer.count
      func put(_ byte: UInt8) {
        place -= 1
        buffer[place] = byte
      }
      var places = max(0, -exponent)
      func put(_ number: UInt64, digits: Int) {
        var (number, count) = (number, digits)
        while number > 0 || count > 0 {
          put(0x30 + UInt8(truncatingIfNeeded: number % 10))
          number /= 10
          count -= 1
          places -= 1
          if places == 0 { put(0x2E) }
        }
      }
      for _ in 0..<(digits == 0 ? 0 : max(0, exponent)) { put(0x30) }
      // Divisions of 128 bits are slow, so there is one at most for the lower digits.
      var upper = digits
      while UInt64(exactly: upper) == nil {
        let (quotient, rest) = upper.quotientAndRemainder(dividingBy: 10_000_000_000_000_000)
        put(UInt64(rest), digits: 16)
        upper = quotient
      }
      // A number below 1 has its zeros behind the point, and one before it.
      put(UInt64(upper), digits: max(1, places + 1))
      if isNegative { put(0x2D) }
      return String(decoding: buffer[place...], as: UTF8.self)
    }
  }
}
