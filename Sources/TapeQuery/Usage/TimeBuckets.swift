/// Names of the hours, days and months that moments fall into, by the clocks of a zone.
package struct TimeBuckets: Sendable {
  package let zone: TimeZoneRules

  package init(zone: TimeZoneRules) { self.zone = zone }

  /// `2026-11-20T14:00:00+01:00`, `…Z` in UTC: the offset tells the two hours apart that a clock shows twice.
  package func hour(ns: Int64) -> String {
    let seconds = ns.floorDivided(by: 1_000_000_000)
    let time = zone.civil(at: seconds)
    return "\(day(time))T\(padded(time.hour, 2)):00:00" + Self.suffix(zone.offset(at: seconds))
  }

  /// The order of two names of hours. Of an hour that comes twice, the one with the higher offset is first.
  static func hour(_ left: String, comesBefore right: String) -> Bool {
    let (a, b) = (Array(left.utf8), Array(right.utf8))
    let (clockA, clockB) = (a.prefix(19), b.prefix(19))
    if clockA != clockB { return clockA.lexicographicallyPrecedes(clockB) }
    // "-04:00" < "-05:00" and "+01:00" < "Z" are right as bytes; two offsets east are the other way round.
    let bothEast = a.count > 19 && b.count > 19 && a[19] == 0x2B && b[19] == 0x2B
    return bothEast ? b.lexicographicallyPrecedes(a) : a.lexicographicallyPrecedes(b)
  }

  /// `2026-11-20`
  package func day(ns: Int64) -> String { day(zone.civil(at: ns.floorDivided(by: 1_000_000_000))) }

  /// `2026-11`
  package func month(ns: Int64) -> String {
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
