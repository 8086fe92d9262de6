internal import Hummingbird
internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  /// What usage is asked for.
  struct UsageQuestion: Sendable {
    static let names = QueryItems.filterNames + ["by", "age", "top"]
    static let ages = [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("all", "All")]

    let items: QueryItems
    let dimension: UsageDimension
    /// How long before the latest call it begins; nil for what `from` and `to` say.
    let age: String?
    let top: Int
    var filter: CallFilter
    let zone: TimeZoneRules

    init(_ query: QueryItems) throws {
      items = query.filled
      try items.check(known: Self.names)
      filter = try items.filter()
      zone = try items.zone()
      let by = try items.one("by") ?? "model"
      let dimensions: [UsageDimension]
      do { dimensions = try UsageDimension.list(parsing: by) } catch let error as TapeError {
        throw WebError.field("by", error.description)
      }
      guard dimensions.count == 1, let dimension = dimensions.first else {
        throw WebError.field("by", "by takes one dimension here; /api/v1/usage takes several")
      }
      self.dimension = dimension
      let age = try items.one("age")
      if let age, !Self.ages.contains(where: { $0.0 == age }) {
        throw WebError.field("age", "age takes one of \(Self.ages.map(\.0).joined(separator: ", ")), not '\(age)'")
      }
      self.age = age ?? (filter.from == nil && filter.to == nil ? "30d" : nil)
      top = try items.number("top", 1...1_000) ?? 50
    }

    /// The same for the time that is meant: so long up to the latest call, by whole hours or days.
    func settled(_ engine: QueryEngine) throws -> UsageQuestion {
      var copy = self
      guard let age, age != "all" else { return copy }
      guard let latest = try engine.entries(CallFilter(), limit: 1).first else { return copy }
      let length = try TimeParser.duration(age)
      let unit: Int64 = age == "24h" ? 3_600_000_000_000 : 86_400_000_000_000
      let end = (latest.startedAtNs / unit + 1) * unit
      (copy.filter.from, copy.filter.to) = (end - length, end)
      return copy
    }
  }

  func usage(_ request: WebRequest) async throws -> Response {
    let question = try UsageQuestion(request.query)
    let (settled, range) = try await desk.ask { engine in
      let settled = try question.settled(engine)
      return (settled, try UsagePage.range(engine, settled.filter))
    }
    let key = KeptPages.Key(path: "/usage", query: settled.items.text, filter: settled.filter)
    let html = try await desk.page(key) {
      Templates.html("usage", try await UsagePage(desk, settled, range).data)
    }
    return Templates.frame(title: "Usage", section: "usage", html)
  }
}

/// Usage and cost: sums, how they went over time, and what they split into.
struct UsagePage {
  private let question: Pages.UsageQuestion
  private let totals: JSONValue?
  private let rows: [JSONValue]
  private let groups: Int
  private let names: [String: String]
  private let series: UsageSeries
  private let unpriced: [(name: String, calls: Int, why: String)]
  private let range: (from: Int64, to: Int64)?

  /// - Parameter range: from the first call that is meant to the last.
  init(_ desk: Desk, _ question: Pages.UsageQuestion, _ range: (from: Int64, to: Int64)?) async throws {
    self.question = question
    self.range = range
    let bucket = UsageSeries.bucket(range)
    // Both at once: each may go over all calls.
    async let overTime = desk.ask { engine in
      try engine.usage(question.filter, by: [bucket], timeZone: question.zone, totals: true)
    }
    async let split = desk.ask { engine -> Split in
      let answer = try engine.usage(question.filter, by: [question.dimension], timeZone: question.zone)
      let rows = answer.rows.prefix(question.top).map { $0 }
      let ids = question.dimension == .identity ? rows.compactMap { $0.at("group", "identity")?.string } : []
      return Split(rows: rows, groups: answer.rows.count, names: try engine.identityNames(ids))
    }
    let time = try await overTime
    series = UsageSeries(
      rows: time.rows.dropLast().map { $0 }, bucket: bucket, range: range, zone: question.zone, items: question.items)
    totals = time.rows.last
    unpriced = time.unpricedModels
    (rows, groups, names) = try await (split.rows, split.groups, split.names)
  }

  private struct Split: Sendable {
    var rows: [JSONValue]
    var groups: Int
    var names: [String: String]
  }

  /// From the first call that is meant to the last.
  static func range(_ engine: QueryEngine, _ filter: CallFilter) throws -> (from: Int64, to: Int64)? {
    if let from = filter.from, let to = filter.to { return (from, to) }
    var bounds = CallFilter()
    (bounds.from, bounds.to) = (filter.from, filter.to)
    guard let first = try engine.entries(bounds, sort: .oldest, limit: 1).first,
      let last = try engine.entries(bounds, limit: 1).first
    else { return nil }
    return (filter.from ?? first.startedAtNs, filter.to ?? last.startedAtNs + 1)
  }

  var data: PageData {
    var data = PageData()
    let items = question.items
    data[list: "ages"] = Pages.UsageQuestion.ages.map { age, name in
      var option = PageData(["name": name, "href": Links.path("/usage", items.without("from", "to").with("age", age))])
      option[flag: "isChosen"] = question.age == age
      return option
    }
    data[list: "dimensions"] = [
      "model", "identity", "thread", "tag", "deployment", "provider", "state", "day", "month",
    ].map { name in
      var option = PageData(["name": name, "href": Links.path("/usage", items.with("by", name))])
      option[flag: "isChosen"] = question.dimension.name == name
      return option
    }
    for name in ["identity", "model", "deployment", "thread", "tag", "meta", "from", "to", "tz"] {
      data[name] = items.all(name).first
    }
    data["by"] = question.dimension.name
    data["age"] = items.all("age").first
    data[list: "chips"] = items.items.filter { QueryItems.filterNames.contains($0.name) }.map { item in
      PageData(["name": item.name, "value": item.value, "href": Links.path("/usage", items.without(item.name))])
    }
    if let range {
      data["from-shown"] = Show.time(.string(RFC3339.string(range.from)))
      data["to-shown"] = Show.time(.string(RFC3339.string(range.to)))
    }
    data[flag: "hasCalls"] = (totals?["calls"]?.integer ?? 0) > 0
    data["everything"] = Links.path("/usage", items.without("from", "to").with("age", "all"))
    if let totals { fill(&data, totals) }
    series.fill(&data)
    table(&data)
    data[list: "unpricedModels"] = unpriced.prefix(8).map { model in
      PageData(["name": model.name, "calls": Show.count(model.calls), "why": model.why])
    }
    return data
  }

  private func fill(_ data: inout PageData, _ totals: JSONValue) {
    let calls = totals["calls"]?.integer ?? 0
    data["calls"] = Show.count(calls)
    data["cost"] = Show.usd(totals.at("cost_usd")) ?? "unknown"
    data["costExact"] = totals.at("cost_usd")?.string
    data["tokens"] = Show.count(totals.at("total_tokens")) ?? "unknown"
    data["prompt"] = Show.count(totals.at("prompt_tokens")) ?? "–"
    data["completion"] = Show.count(totals.at("completion_tokens")) ?? "–"
    data["cached"] = Show.count(totals.at("cached_tokens")) ?? "–"
    data["errors"] = Show.calls(totals["errors"]?.integer ?? 0)
    data["errorRate"] = Show.share(totals["errors"]?.integer ?? 0, of: calls)
    data["aborts"] = Show.calls(totals["aborts"]?.integer ?? 0)
    data["abortRate"] = Show.share(totals["aborts"]?.integer ?? 0, of: calls)
    for key in ["ttft_p50_ms", "ttft_p95_ms", "ttft_p99_ms", "duration_p50_ms", "duration_p95_ms", "duration_p99_ms"] {
      data[key] = Show.duration(totals.at(key)) ?? "–"
    }
    let reasons = (totals["unpriced"]?.members ?? []).filter { ($0.value.integer ?? 0) > 0 }
    data[list: "unpriced"] = reasons.map { reason in
      PageData(["name": StateMark.words(reason.key), "calls": Show.count(reason.value) ?? ""])
    }
    let silent = (totals["not_in_usage"]?.array ?? []).compactMap(\.string)
    data["notInUsage"] = silent.isEmpty ? nil : silent.joined(separator: ", ")
    data["callsHref"] = Links.path("/", list(of: []))
  }

  // MARK: What it splits into

  private func table(_ data: inout PageData) {
    let most = rows.reduce(0.0) { max($0, weight($1)) }
    data["dimension"] = question.dimension.name
    data[flag: "isByCost"] = rows.contains { Show.number($0.at("cost_usd")) ?? 0 > 0 }
    data[list: "rows"] = rows.map { row in
      var line = PageData()
      let value = row.at("group", question.dimension.name)?.string
      line["name"] = value.map { Show.cut($0) } ?? "none"
      line[flag: "isNone"] = value == nil
      line["display"] = value.flatMap { names[$0] }
      line["href"] = Links.path("/", list(of: [filter(value)]))
      line["width"] = Show.plain(most > 0 ? weight(row) / most * 100 : 0)
      measures(&line, row)
      return line
    }
    data["more"] = groups > rows.count ? Links.path("/usage", question.items.with("top", "1000")) : nil
    data["shown"] = "\(Show.count(rows.count)) of \(Show.count(groups))"
    let items = question.items.without("age", "top").with("by", question.dimension.name)
    data[list: "exports"] = ["csv", "ndjson", "json"].map { format in
      var items = items.with("totals", "true").with("format", format)
      if let range, question.age != "all" {
        items = items.with("from", RFC3339.string(range.from)).with("to", RFC3339.string(range.to))
      }
      return PageData(["name": format.uppercased(), "href": Links.path("/api/v1/usage", items)])
    }
  }

  private func weight(_ row: JSONValue) -> Double {
    Show.number(row.at("cost_usd")) ?? 0
  }

  private func measures(_ line: inout PageData, _ row: JSONValue) {
    let calls = row["calls"]?.integer ?? 0
    line["calls"] = Show.count(calls)
    line["errors"] = Show.share(row["errors"]?.integer ?? 0, of: calls)
    // One in ten: what is worth a look.
    line[flag: "hasErrors"] = (row["errors"]?.integer ?? 0) * 10 >= max(calls, 1)
    line["aborts"] = Show.share(row["aborts"]?.integer ?? 0, of: calls)
    line["prompt"] = Show.count(row.at("prompt_tokens")) ?? "–"
    line["completion"] = Show.count(row.at("completion_tokens")) ?? "–"
    line["tokens"] = Show.count(row.at("total_tokens")) ?? "–"
    line["cost"] = Show.usd(row.at("cost_usd")) ?? "unknown"
    line["costExact"] = row.at("cost_usd")?.string
    line["ttft50"] = Show.duration(row.at("ttft_p50_ms")) ?? "–"
    line["ttft95"] = Show.duration(row.at("ttft_p95_ms")) ?? "–"
    line["took50"] = Show.duration(row.at("duration_p50_ms")) ?? "–"
    line["took95"] = Show.duration(row.at("duration_p95_ms")) ?? "–"
    let unknown = (row["unpriced"]?.members ?? []).reduce(0) { $0 + ($1.value.integer ?? 0) }
    line["unpriced"] = unknown > 0 ? Show.count(unknown) : nil
  }

  private func filter(_ value: String?) -> (String, String) {
    let dimension = question.dimension
    switch dimension {
    case .day, .month, .hour: return ("time", value ?? "")
    case .metadata(let key): return ("meta", "\(key)=\(value ?? "")")
    default:
      let column = ["identity": "identity_id", "thread": "thread_id", "trace": "trace_id", "tag": "thread_tags"]
      return value.map { (dimension.name, $0) } ?? ("where", "\(column[dimension.name] ?? dimension.name) IS NULL")
    }
  }

  /// The list of the calls that went into a figure.
  private func list(of filters: [(String, String)]) -> QueryItems {
    var items = question.items.without("by", "age", "top")
    if let range, question.age != "all" {
      items = items.with("from", RFC3339.string(range.from)).with("to", RFC3339.string(range.to))
    }
    for (name, value) in filters {
      if name == "time" {
        if let times = series.bounds(of: value, by: question.dimension) {
          items = items.with("from", times.from).with("to", times.to)
        }
      } else {
        items = items.with(name, value)
      }
    }
    return items
  }
}
