internal import TapeTypes

/// Reads what people write for a moment or a length of time.
package enum TimeParser {
  /// The moment that `text` means, in ns since 1970.
  ///
  /// Takes dates (`2026-11-20`, `2026-11`), times (`2026-11-20T12:00`, `2026-11-20 12:00:30.5`, with `Z` or an offset,
  /// else in `zone`), times of today in `zone` (`12:00`), `now`, `today`, `yesterday`, `tomorrow` (their midnight in `zone`) and lengths of time before
  /// now (`7d`, `24h`, `90m`, `30s`, `2w`).
  ///
  /// - Throws: `TapeError` `.usage`.
  package static func moment(_ text: String, zone: TimeZoneRules, nowNs: Int64) throws -> Int64 {
    let trimmed = text.drop { $0 == " " }
    switch trimmed.lowercased() {
    case "now": return nowNs
    case "today": return midnight(daysFromToday: 0, zone: zone, nowNs: nowNs)
    case "yesterday": return midnight(daysFromToday: -1, zone: zone, nowNs: nowNs)
    case "tomorrow": return midnight(daysFromToday: 1, zone: zone, nowNs: nowNs)
    default: break
    }
    if let time = timeOfDay(Array(trimmed.utf8), today: zone.civil(at: nowNs.floorDivided(by: 1_000_000_000))) {
      return zone.seconds(of: time) * 1_000_000_000
    }
    if let length = lengthNs(String(trimmed)) {
      let (moment, overflow) = nowNs.subtractingReportingOverflow(length)
      if !overflow { return moment }
    } else if let moment = written(Array(trimmed.utf8), zone: zone) {
      return moment
    }
    throw TapeError(
      .usage,
      "'\(text)' is no time: give a date (2026-11-20), a time (2026-11-20T12:00:00Z), yesterday, or an age such as 7d or 24h"
    )
  }

  /// A length of time in ns: `500ms`, `2s`, `1.5s`, `3m`, `1h`, `7d`, `2w`, `10us`.
  ///
  /// - Throws: `TapeError` `.usage`.
  package static func duration(_ text: String) throws -> Int64 {
    guard let length = lengthNs(text) else {
      throw TapeError(.usage, "'\(text)' is no length of time: give a number with ms, s, m, h or d, such as 500ms")
    }
    return length
  }

  private static func midnight(daysFromToday days: Int, zone: TimeZoneRules, nowNs: Int64) -> Int64 {
    let today = zone.civil(at: nowNs.floorDivided(by: 1_000_000_000))
    let midnight = CivilTime(year: today.year, month: today.month, day: today.day).seconds + Int64(days) * 86_400
    return zone.seconds(of: CivilTime(seconds: midnight)) * 1_000_000_000
  }

  private static let units: [(String, Int64)] = [
    ("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
    ("h", 3_600_000_000_000), ("d", 86_400_000_000_000), ("w", 604_800_000_000_000),
  ]

  private static func lengthNs(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    let number = bytes.prefix { $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2E }
    let unit = String(decoding: bytes.dropFirst(number.count), as: UTF8.self)
    let parts = number.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard let factor = units.first(where: { $0.0 == unit })?.1, (1...2).contains(parts.count),
      let whole = Int64(String(decoding: parts[0], as: UTF8.self))
    else { return nil }
    let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
    guard !overflow else { return nil }
    guard parts.count == 2 else { return product }
    guard (1...9).contains(parts[1].count) else { return nil }
    let fraction = parts[1].reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
    let scale = (0..<parts[1].count).reduce(Int64(1)) { power, _ in power * 10 }
    // fraction < 10^9 and factor ≤ 6·10^14: divide first where the product would not fit.
    let extra =
      factor % scale == 0 ? factor / scale * fraction : Int64(Double(fraction) / Double(scale) * Double(factor))
    let (sum, tooLong) = product.addingReportingOverflow(extra)
    return tooLong ? nil : sum
  }

  /// `hh:mm[:ss]`
  private static func timeOfDay(_ bytes: [UInt8], today: CivilTime) -> CivilTime? {
    var scanner = DateScanner(bytes: bytes[...])
    var time = CivilTime(year: today.year, month: today.month, day: today.day)
    guard let hour = scanner.digits(2), scanner.take(0x3A), let minute = scanner.digits(2) else { return nil }
    (time.hour, time.minute) = (hour, minute)
    if scanner.take(0x3A) {
      guard let second = scanner.digits(2) else { return nil }
      time.second = second
    }
    return scanner.bytes.isEmpty && time.isValid ? time : nil
  }

  /// `YYYY-MM[-DD[Thh:mm[:ss[.fraction]][Z|±hh:mm]]]`
  private static func written(_ bytes: [UInt8], zone: TimeZoneRules) -> Int64? {
    var scanner = DateScanner(bytes: bytes[...])
    guard let year = scanner.digits(4), scanner.take(0x2D), let month = scanner.digits(2) else { return nil }
    var time = CivilTime(year: year, month: month, day: 1)
    var nanoseconds: Int64 = 0
    var offset: Int?
    if scanner.take(0x2D) {
      guard let day = scanner.digits(2) else { return nil }
      time.day = day
      if scanner.take(0x54) || scanner.take(0x74) || scanner.take(0x20) {
        guard let hour = scanner.digits(2), scanner.take(0x3A), let minute = scanner.digits(2) else { return nil }
        (time.hour, time.minute) = (hour, minute)
        if scanner.take(0x3A) {
          guard let second = scanner.digits(2) else { return nil }
          time.second = second
          if scanner.take(0x2E) {
            guard let fraction = scanner.fraction() else { return nil }
            nanoseconds = fraction
          }
        }
        guard let zoneOffset = scanner.offset() else { return nil }
        offset = zoneOffset
      }
    }
    guard scanner.bytes.isEmpty, time.isValid else { return nil }
    // Nothing was recorded before or after what 64 bits of nanoseconds can say.
    guard (1678...2261).contains(year) else {
      return CivilTime(year: year < 1678 ? 1678 : 2262, month: 1, day: 1).seconds * 1_000_000_000
    }
    let seconds = offset.flatMap { $0 == .max ? nil : time.seconds - Int64($0) } ?? zone.seconds(of: time)
    return seconds * 1_000_000_000 + nanoseconds
  }
}

/// Reads the pieces of a written date.
private struct DateScanner {
  var bytes: ArraySlice<UInt8>

  mutating func take(_ byte: UInt8) -> Bool {
    guard bytes.first == byte else { return false }
    bytes.removeFirst()
    return true
  }

  mutating func digits(_ count: Int) -> Int? {
    let digits = bytes.prefix(count)
    guard digits.count == count, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    bytes = bytes.dropFirst(count)
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  /// One to nine digits of a second, in ns; further digits are dropped.
  mutating func fraction() -> Int64? {
    let digits = bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }
    guard !digits.isEmpty else { return nil }
    bytes = bytes.dropFirst(digits.count)
    var value: Int64 = 0
    for index in 0..<9 {
      value = value * 10 + (index < digits.count ? Int64(digits[digits.startIndex + index] - 0x30) : 0)
    }
    return value
  }

  /// `Z`, `±hh:mm` or `±hhmm` in seconds; `Int.max` for none; nil for something else.
  mutating func offset() -> Int? {
    if take(0x5A) || take(0x7A) { return 0 }
    let sign: Int
    if take(0x2B) { sign = 1 } else if take(0x2D) { sign = -1 } else { return .max }
    guard let hours = digits(2) else { return nil }
    _ = take(0x3A)
    guard let minutes = digits(2), hours < 24, minutes < 60 else { return nil }
    return sign * (hours * 3600 + minutes * 60)
  }
}
