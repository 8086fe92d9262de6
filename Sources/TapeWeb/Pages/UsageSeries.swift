internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// Usage hour by hour, day by day or month by month, also of those without calls.
struct UsageSeries {
  private static let mostBuckets = 400

  private struct Bucket {
    var name: String
    /// Where the calls of it are.
    var href: String
    var row: JSONValue?
  }

  private let buckets: [Bucket]
  private let zone: TimeZoneRules

  /// What is fine enough for a time, and not too fine.
  static func bucket(_ range: (from: Int64, to: Int64)?) -> UsageDimension {
    guard let range else { return .day }
    let hours = (range.to - range.from) / 3_600_000_000_000
    return hours <= 72 ? .hour : hours <= 24 * 124 ? .day : .month
  }

  init(
    rows: [JSONValue], bucket: UsageDimension, range: (from: Int64, to: Int64)?, zone: TimeZoneRules, items: QueryItems
  ) {
    self.zone = zone
    let byName = Dictionary(
      rows.compactMap { row in row.at("group", bucket.name)?.string.map { ($0, row) } }, uniquingKeysWith: { $1 })
    guard let range else {
      buckets = []
      return
    }
    let day: Int64 = 86_400_000_000_000
    // A few hours are seen as part of their day.
    let isShort = bucket == .hour && range.to - range.from < day
    let start = isShort ? range.from / day * day : range.from
    let names = Self.names(from: start, to: isShort ? max(range.to, start + day) : range.to, by: bucket, zone)
    buckets = names.map { name in
      var href = items.without("by", "age", "top")
      if let times = Self.bounds(of: name, by: bucket, zone) {
        href = href.with("from", times.from).with("to", times.to)
      }
      return Bucket(name: name, href: Links.path("/", href), row: byName[name])
    }
  }

  private static func names(from: Int64, to: Int64, by bucket: UsageDimension, _ zone: TimeZoneRules) -> [String] {
    let times = TimeBuckets(zone: zone)
    // Short enough not to step over a day that a clock change made shorter.
    let step: Int64 = bucket == .hour ? 1_800_000_000_000 : 43_200_000_000_000
    var names: [String] = []
    var moment = from
    func add(_ ns: Int64) {
      let name = bucket == .hour ? times.hour(ns: ns) : bucket == .month ? times.month(ns: ns) : times.day(ns: ns)
      if names.last != name { names.append(name) }
    }
    while moment < to, names.count < mostBuckets {
      add(moment)
      moment += step
    }
    if names.count < mostBuckets { add(to - 1) }
    return names
  }

  func bounds(of name: String, by bucket: UsageDimension) -> (from: String, to: String)? {
    Self.bounds(of: name, by: bucket, zone)
  }

  /// When an hour, a day or a month begins and ends.
  private static func bounds(
    of name: String, by bucket: UsageDimension, _ zone: TimeZoneRules
  ) -> (from: String, to: String)? {
    guard let start = try? TimeParser.moment(name, zone: zone, nowNs: 0) else { return nil }
    let hour: Int64 = 3_600_000_000_000
    if bucket == .hour { return (RFC3339.string(start), RFC3339.string(start + hour)) }
    // Some time of the next one, by its name.
    let times = TimeBuckets(zone: zone)
    let later = start + (bucket == .month ? 32 * 24 * hour : 30 * hour)
    let next = bucket == .month ? times.month(ns: later) : times.day(ns: later)
    guard let end = try? TimeParser.moment(next, zone: zone, nowNs: 0) else { return nil }
    return (RFC3339.string(start), RFC3339.string(end))
  }

  func fill(_ data: inout PageData) {
    let charts: [(String, ColumnChart)] = [
      ("costChart", chart("Cost", unit: { Show.usd(.number(Show.plain($0, 4))) ?? "$0" }, [("a", "cost_usd")])),
      (
        "tokenChart",
        chart("Tokens", unit: Self.short, [("a", "prompt_tokens"), ("b", "completion_tokens")])
      ),
      ("callChart", chart("Calls", unit: Self.short, [("ok", "calls"), ("bad", "errors"), ("abort", "aborts")])),
      (
        "ttftChart", chart("Time to first token", unit: Show.duration, [("a", "ttft_p50_ms"), ("line", "ttft_p95_ms")])
      ),
    ]
    for (name, chart) in charts {
      data[html: name] = chart.svg
      data["\(name)Peak"] = chart.peak
    }
    data["first"] = buckets.first.map { Self.shortName($0.name) }
    data["last"] = buckets.last.map { Self.shortName($0.name) }
  }

  private static func shortName(_ name: String) -> String {
    name.utf8.count > 16 ? name.prefix(16).split(separator: "T").joined(separator: " ") : name
  }

  /// `1.2M`
  private static func short(_ value: Double) -> String {
    switch value {
    case 1e9...: "\(Show.fixed(value / 1e9, 1))G"
    case 1e6...: "\(Show.fixed(value / 1e6, 1))M"
    case 10e3...: "\(Show.fixed(value / 1e3, 0))k"
    default: Show.fixed(value, 0)
    }
  }

  private func chart(
    _ title: String, unit: @escaping (Double) -> String, _ parts: [(style: String, key: String)]
  ) -> ColumnChart {
    ColumnChart(
      title: title, unit: unit,
      columns: buckets.map { bucket in
        var values = parts.map { part in
          ColumnChart.Part(style: part.style, value: bucket.row.flatMap { Show.number($0.at(part.key)) } ?? 0)
        }
        let words = zip(parts, values).map { part, value in
          "\(part.key.split(separator: "_").dropLast(part.key.hasSuffix("s_ms") || part.key == "cost_usd" ? 1 : 0).joined(separator: " ")) \(unit(value.value))"
        }
        // Failed calls are part of all calls.
        if parts.first?.style == "ok" { values[0].value -= values[1].value + values[2].value }
        return ColumnChart.Column(
          title: "\(Self.shortName(bucket.name)): \(words.joined(separator: ", "))", href: bucket.href, parts: values)
      })
  }
}
