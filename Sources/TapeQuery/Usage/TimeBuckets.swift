/// Names of the hours, days and months that moments fall into, by the clocks of a zone.
struct TimeBuckets {
  let zone: TimeZoneRules

  /// `2026-11-20T14:00:00+01:00`, `…Z` in UTC: the offset tells the two hours apart that a clock shows twice.
  func hour(ns: Int64) -> String {
    let seconds = ns.floorDivided(by: 1_000_000_000)
    let time = zone.civil(at: seconds)
    return "\(day(time))T\(padded(time.hour, 2)):00:00" + Self.suffix(zone.offset(at: seconds))
  }

  /// `2026-11-20`
  func day(ns: Int64) -> String { day(zone.civil(at: ns.floorDivided(by: 1_000_000_000))) }

  /// `2026-11`
  func month(ns: Int64) -> String {
    let time = zone.civil(at: ns.floorDivided(by: 1_000_000_000))
    return "\(padded(time.year, 4))-\(padded(time.month, 2))"
  }

  private func day(_ time: CivilTime) -> String {
    "\(padded(time.year, 4))-\(padded(time.month, 2))-\(padded(time.day, 2))"
  }

  private static func suffix(_ offset: Int) -> String {
    if offset == 0 { return "Z" }
    let minutes = abs(offset) / 60
    return "\(offset < 0 ? "-" : "+")\(padded(minutes / 60, 2)):\(padded(minutes % 60, 2))"
  }
}
