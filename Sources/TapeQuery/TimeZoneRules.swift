/// When a place's clocks were how far from UTC.
package struct TimeZoneRules: Sendable {
  package static let utc = TimeZoneRules()
}
