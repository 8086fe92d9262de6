/// Times as RFC 3339 UTC with nanoseconds, without a date library.
package enum RFC3339 {
  /// `2026-01-01T00:00:00.000000000Z`.
  package static func string(_ ns: Int64) -> String {
    let seconds = floorDivide(ns, 1_000_000_000)
    let days = floorDivide(seconds, 86_400)
    let clock = seconds - days * 86_400
    let (year, month, day) = civil(days)
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(clock / 3600, 2)):\(pad(clock / 60 % 60, 2)):"
      + "\(pad(clock % 60, 2)).\(pad(ns - seconds * 1_000_000_000, 9))Z"
  }

  /// ns since 1970 of `2026-01-01T00:00:00Z`, with or without fraction, with `Z` or an offset; nil for anything else.
  package static func ns(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
      return bytes[range].reduce(0) { $0 * 10 + Int64($1) - 0x30 }
    }
    guard bytes.count >= 20, bytes[4] == 0x2D, bytes[7] == 0x2D, bytes[10] | 0x20 == 0x74, bytes[13] == 0x3A,
      bytes[16] == 0x3A, let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60,
      (1678...2261).contains(year)
    else { return nil }
    var position = 19
    var fraction: Int64 = 0
    if bytes[position] == 0x2E {
      position += 1
      var scale: Int64 = 100_000_000
      while position < bytes.count, let digit = number(position..<(position + 1)) {
        fraction += digit * scale
        scale /= 10
        position += 1
      }
    }
    var offset: Int64 = 0
    if position + 1 == bytes.count, bytes[position] | 0x20 == 0x7A {
      offset = 0
    } else if position + 6 == bytes.count, bytes[position] == 0x2B || bytes[position] == 0x2D,
      bytes[position + 3] == 0x3A,
      let hours = number((position + 1)..<(position + 3)), let minutes = number((position + 4)..<(position + 6))
    {
      offset = (hours * 60 + minutes) * (bytes[position] == 0x2B ? 60 : -60)
    } else {
      return nil
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 1_000_000_000 + fraction
  }

  /// The reverse of `civil`: `days_from_civil` of the same source.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = floorDivide(shifted, 400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 { a >= 0 ? a / b : -((-(a + 1)) / b) - 1 }

  private static func pad(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  /// Days since 1970 to the proleptic Gregorian calendar.
  /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
  private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
