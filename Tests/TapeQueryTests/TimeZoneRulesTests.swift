import TapeArchive
import TapeQuery
import TapeTypes
import Testing

@Suite struct TimeZoneRulesTests {
  /// Expected values from Python's zoneinfo.
  @Test(arguments: [
    ("Europe/Amsterdam", "2026-03-29T00:59:59Z", 3600),
    ("Europe/Amsterdam", "2026-03-29T01:00:00Z", 7200),
    ("Europe/Amsterdam", "2026-10-25T00:59:59Z", 7200),
    ("Europe/Amsterdam", "2026-10-25T01:00:00Z", 3600),
    ("Europe/Amsterdam", "2055-07-01T00:00:00Z", 7200),
    ("America/New_York", "2026-03-08T06:59:59Z", -18000),
    ("America/New_York", "2026-03-08T07:00:00Z", -14400),
    ("America/New_York", "2099-12-01T00:00:00Z", -18000),
    ("Australia/Lord_Howe", "2060-01-01T00:00:00Z", 39600),
    ("Australia/Lord_Howe", "2060-07-01T00:00:00Z", 37800),
    ("Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z", -7200),
    ("America/Sao_Paulo", "2018-11-04T02:59:59Z", -10800),
    ("Asia/Kolkata", "1900-01-01T00:00:00Z", 19270),
    ("Europe/Dublin", "2050-01-01T00:00:00Z", 0),
    ("Europe/Dublin", "2050-07-01T00:00:00Z", 3600),
    ("America/Nuuk", "2050-07-01T00:00:00Z", -3600),
    ("Pacific/Apia", "2011-12-30T12:00:00Z", 50400),
  ])
  func offsetsAreThoseOfTheZone(zone: String, moment: String, offset: Int) throws {
    let seconds = try TimeParser.moment(moment, zone: .utc, nowNs: 0) / 1_000_000_000
    #expect(try TimeZoneRules(named: zone).offset(at: seconds) == offset)
  }

  @Test(arguments: [
    "Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "Europe", "Europe/Amsterdam\0x", "zone.tab",
  ])
  func anUnknownZoneIsRefused(name: String) {
    let error = #expect(throws: TapeError.self) { try TimeZoneRules(named: name) }
    #expect(error?.code == .usage)
  }

  /// Local wall times: in the gap of spring, and in the hour that comes twice in autumn (the first one counts).
  @Test(arguments: [
    ("2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
    ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
    ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
    ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
    ("2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
    ("2026-07-01", "2026-06-30T22:00:00Z"),
    ("2026-07", "2026-06-30T22:00:00Z"),
  ])
  func localTimesBecomeMoments(local: String, moment: String) throws {
    let zone = try TimeZoneRules(named: "Europe/Amsterdam")
    let expected = try TimeParser.moment(moment, zone: .utc, nowNs: 0)
    #expect(try TimeParser.moment(local, zone: zone, nowNs: 0) == expected)
  }
}

@Suite struct TimeParserTests {
  /// 2026-11-20T12:34:56.5Z
  private let now: Int64 = 1_795_178_096_500_000_000

  @Test(arguments: [
    ("2026-11-20", "2026-11-20T00:00:00.000000000Z"),
    ("2026-11", "2026-11-01T00:00:00.000000000Z"),
    ("2026-11-20T12:00", "2026-11-20T12:00:00.000000000Z"),
    ("2026-11-20 12:00:30.5", "2026-11-20T12:00:30.500000000Z"),
    ("2026-11-20T12:00:00.123456789Z", "2026-11-20T12:00:00.123456789Z"),
    ("2026-11-20T12:00:00+01:30", "2026-11-20T10:30:00.000000000Z"),
    ("2026-11-20T00:00:00-0500", "2026-11-20T05:00:00.000000000Z"),
    ("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250000000Z"),
    ("2000-02-29", "2000-02-29T00:00:00.000000000Z"),
    ("now", "2026-11-20T12:34:56.500000000Z"),
    ("today", "2026-11-20T00:00:00.000000000Z"),
    ("yesterday", "2026-11-19T00:00:00.000000000Z"),
    ("Tomorrow", "2026-11-21T00:00:00.000000000Z"),
    ("7d", "2026-11-13T12:34:56.500000000Z"),
    ("24h", "2026-11-19T12:34:56.500000000Z"),
    ("90m", "2026-11-20T11:04:56.500000000Z"),
    ("1.5s", "2026-11-20T12:34:55.000000000Z"),
    ("2w", "2026-11-06T12:34:56.500000000Z"),
    ("12:30", "2026-11-20T12:30:00.000000000Z"),
    ("9999-12-31", "2262-01-01T00:00:00.000000000Z"), ("0001-01-01T12:00Z", "1678-01-01T00:00:00.000000000Z"),
    ("00:00:59", "2026-11-20T00:00:59.000000000Z"),
  ])
  func momentsAreRead(text: String, expected: String) throws {
    #expect(RFC3339.string(try TimeParser.moment(text, zone: .utc, nowNs: now)) == expected)
  }

  @Test(arguments: [
    "", "7", "d", "7x", "-7d", "2026", "2026-13", "2026-02-30", "2026-11-20T25:00", "2026-11-20T12", "2026-11-20Z",
    "20261120", "2026-11-20T12:00:00+1", "99999999999999999999d", "9999-13-01", "2026-11-20T12:00:00.Z", "1..5s",
    "24:00", "12:60", "1:00", "12:00x",
  ])
  func whatIsNoTimeIsRefused(text: String) {
    let error = #expect(throws: TapeError.self) { try TimeParser.moment(text, zone: .utc, nowNs: now) }
    #expect(error?.code == .usage)
  }

  @Test func yesterdayIsThatOfTheZone() throws {
    let zone = try TimeZoneRules(named: "Asia/Tokyo")
    // 12:34Z is 21:34 in Tokyo; its day began at 15:00Z the day before.
    let yesterday = try TimeParser.moment("yesterday", zone: zone, nowNs: now)
    #expect(RFC3339.string(yesterday) == "2026-11-18T15:00:00.000000000Z")
  }

  @Test(
    arguments: [
      ("500ms", 500_000_000), ("2s", 2_000_000_000), ("0.25s", 250_000_000), ("1.5m", 90_000_000_000), ("10us", 10_000),
      ("7ns", 7), ("0s", 0),
    ] as [(String, Int64)])
  func lengthsAreRead(text: String, ns: Int64) throws {
    #expect(try TimeParser.duration(text) == ns)
  }
}
