/// The rule at the end of a zone file that holds from its last transition on, e.g. `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// Source: POSIX.1 §8.3 `TZ`, with the longer hours of RFC 8536 §3.3.1.
struct PosixTimeZone: Sendable, Equatable {
  /// When in a year the clocks change, in local time before the change.
  private enum Day: Sendable, Equatable {
    /// Day 1…365, 29 February not counted.
    case julian(Int)
    /// Day 0…365, 29 February counted.
    case zeroBased(Int)
    /// Weekday (0 is Sunday) of week 1…5 (5 is the last) of a month.
    case weekday(month: Int, week: Int, day: Int)
  }

  private var standard = 0
  private var daylight: Int?
  private var start: (day: Day, seconds: Int) = (.zeroBased(0), 7200)
  private var end: (day: Day, seconds: Int) = (.zeroBased(0), 7200)

  /// nil for anything that is not such a rule.
  init?(_ text: [UInt8]) {
    var scanner = Scanner(bytes: text[...])
    guard scanner.name(), let west = scanner.time() else { return nil }
    standard = -west
    guard !scanner.bytes.isEmpty else { return }
    guard scanner.name() else { return nil }
    daylight = standard + 3600
    if scanner.bytes.first != 0x2C {
      guard let west = scanner.time() else { return nil }
      daylight = -west
    }
    guard let start = Self.change(&scanner), let end = Self.change(&scanner), scanner.bytes.isEmpty else { return nil }
    self.start = start
    self.end = end
  }

  static func == (left: PosixTimeZone, right: PosixTimeZone) -> Bool {
    left.standard == right.standard && left.daylight == right.daylight && left.start == right.start
      && left.end == right.end
  }

  func offset(at seconds: Int64) -> Int {
    guard let daylight else { return standard }
    let year = CivilTime(seconds: seconds + Int64(standard)).year
    let begins = Self.moment(start, year: year) - Int64(standard)
    let ends = Self.moment(end, year: year) - Int64(daylight)
    // On the southern half summer time spans the new year.
    let isDaylight =
      begins < ends ? (begins..<ends).contains(seconds) : !(ends..<begins).contains(seconds)
    return isDaylight ? daylight : standard
  }

  private static func change(_ scanner: inout Scanner) -> (day: Day, seconds: Int)? {
    guard scanner.take(0x2C), let day = day(&scanner) else { return nil }
    guard scanner.take(0x2F) else { return (day, 7200) }
    return scanner.time().map { (day, $0) }
  }

  private static func day(_ scanner: inout Scanner) -> Day? {
    if scanner.take(0x4D) {
      guard let month = scanner.number(), scanner.take(0x2E), let week = scanner.number(), scanner.take(0x2E),
        let day = scanner.number(), (1...12).contains(month), (1...5).contains(week), (0...6).contains(day)
      else { return nil }
      return .weekday(month: month, week: week, day: day)
    }
    if scanner.take(0x4A) { return scanner.number().map { .julian($0) } }
    return scanner.number().map { .zeroBased($0) }
  }

  /// Seconds since 1970 as the local clock counts them.
  private static func moment(_ change: (day: Day, seconds: Int), year: Int) -> Int64 {
    let newYear = CivilTime.days(year: year, month: 1, day: 1)
    let days: Int
    switch change.day {
    case .julian(let day): days = newYear + day - 1 + (CivilTime.isLeap(year) && day >= 60 ? 1 : 0)
    case .zeroBased(let day): days = newYear + day
    case .weekday(let month, let week, let weekday):
      let first = CivilTime.days(year: year, month: month, day: 1)
      // 1970-01-01 was a Thursday.
      let firstWeekday = (first + 4) - (first + 4).floorDivided(by: 7) * 7
      var day = (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
      while day >= CivilTime.daysIn(month: month, year: year) { day -= 7 }
      days = first + day
    }
    return Int64(days) * 86_400 + Int64(change.seconds)
  }

  /// Reads the pieces that a rule is made of.
  private struct Scanner {
    var bytes: ArraySlice<UInt8>

    mutating func take(_ byte: UInt8) -> Bool {
      guard bytes.first == byte else { return false }
      bytes.removeFirst()
      return true
    }

    mutating func name() -> Bool {
      if take(0x3C) {
        guard let close = bytes.firstIndex(of: 0x3E) else { return false }
        bytes = bytes[(close + 1)...]
        return true
      }
      let letters = bytes.prefix { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }
      bytes = bytes.dropFirst(letters.count)
      return letters.count >= 3
    }

    mutating func number() -> Int? {
      let digits = bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }.prefix(4)
      bytes = bytes.dropFirst(digits.count)
      return digits.isEmpty ? nil : digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func time() -> Int? {
      let negative = take(0x2D)
      if !negative { _ = take(0x2B) }
      guard let hours = number() else { return nil }
      var seconds = hours * 3600
      if take(0x3A) {
        guard let minutes = number() else { return nil }
        seconds += minutes * 60
        if take(0x3A) {
          guard let rest = number() else { return nil }
          seconds += rest
        }
      }
      return negative ? -seconds : seconds
    }
  }
}
