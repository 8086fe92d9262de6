internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// The JSON API: the shapes of schema/cli.md, by the code that the command line uses. schema/openapi.yaml describes it.
struct API: Sendable {
  private static let listParameters = QueryItems.filterNames + ["sort", "after", "limit", "format"]

  let desk: Desk

  var routes: [Route] {
    [
      get("/calls", calls), get("/calls/*", show), get("/calls/*/frames", frames), get("/calls/*/events", events),
      get("/calls/*/body", body), get("/calls/*/request", requestBody), get("/calls/*/verify", verify),
      get("/threads/*", thread), get("/traces/*", trace), get("/diff", diff), get("/search", search),
      get("/usage", usage), get("/identities", identities), get("/status", status), get("/live", live),
    ]
  }

  private func get(_ path: String, _ answer: @escaping Route.Answer) -> Route { Route(.get, "/api/v1" + path, answer) }

  private static func json(_ bytes: [UInt8]) -> Response {
    .bytes(.ok, "application/json; charset=utf-8", ByteBuffer(bytes: bytes + [0x0A]))
  }

  private static func json(_ value: JSONValue) -> Response { json(value.compact) }

  // MARK: Lists

  private func calls(_ request: WebRequest) async throws -> Response {
    let items = request.query
    try items.check(known: Self.listParameters)
    let question = try ListQuestion(items)
    return try await question.answer(
      desk, columns: CallColumns.csv, path: "/api/v1/calls", items
    ) { engine, place, limit, body in
      try engine.forEachCall(question.filter, sort: question.sort, after: place, limit: limit, body)
    }
  }

  private func search(_ request: WebRequest) async throws -> Response {
    let items = request.query
    try items.check(known: Self.listParameters + ["phrase"])
    guard let phrase = try items.one("phrase"), !phrase.allSatisfy(\.isWhitespace) else {
      throw WebError.field("phrase", "phrase needs a word or a phrase")
    }
    let question = try ListQuestion(items)
    var filter = question.filter
    filter.phrase = phrase
    let columns = [
      "call_id", "started_at", "state", "deployment", "model", "provider", "identity_id", "thread_id", "matches",
      "snippets",
    ]
    return try await question.answer(
      desk, columns: columns, path: "/api/v1/search", items
    ) { [filter] engine, place, limit, body in
      try engine.search(filter, sort: question.sort, after: place, limit: limit) { try body($0.json) }
    }
  }

  private func usage(_ request: WebRequest) async throws -> Response {
    let items = request.query
    try items.check(known: QueryItems.filterNames + ["by", "totals", "top", "format"])
    let filter = try items.filter()
    let zone = try items.zone()
    let dimensions: [UsageDimension]
    do { dimensions = try UsageDimension.list(parsing: items.one("by") ?? "model") } catch let error as TapeError {
      throw WebError.field("by", error.description)
    }
    let (totals, top) = (try items.flag("totals"), try items.number("top", 1...1_000_000))
    let format = try ListFormat(items)
    let answer = try await desk.ask { engine in
      try engine.usage(filter, by: dimensions, timeZone: zone, totals: totals, top: top)
    }
    let rows = answer.rows
    let columns =
      dimensions.map { "group.\($0.name)" }
      + (rows.first.map { ListWriter.columns(of: $0, without: "group") } ?? [])
    return format.response(columns: columns, name: "usage", link: nil, batches: ListWriter.batches(of: rows))
  }

  private func identities(_ request: WebRequest) async throws -> Response {
    let items = request.query
    try items.check(known: QueryItems.filterNames + ["limit"])
    let filter = try items.filter()
    let limit = try items.number("limit", 1...1_000) ?? 100
    let found = try await desk.ask { engine in
      try engine.usage(filter, by: [.identity]).rows.prefix(limit).map { row -> JSONValue in
        let id = row.at("group", "identity")?.string
        let names = try id.map(engine.identity)?.members ?? [.init("identity_id", .null)]
        return .object(names + (row.members ?? []).filter { $0.key != "group" })
      }
    }
    return Self.json(.array(found))
  }

  // MARK: One call

  private func show(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["full"])
    let (call, isFull) = (request.segments[0], try request.query.flag("full"))
    return Self.json(
      try await desk.ask { engine in
        let entry = try engine.resolve(call)
        return try engine.show(entry, full: isFull).compact
      })
  }

  private func frames(_ request: WebRequest) async throws -> Response {
    let items = request.query
    try items.check(known: ["stalls", "from", "limit"])
    let from = try items.number("from", 0...Int.max) ?? 0
    let limit = try items.number("limit", 1...10_000) ?? 1_000
    let least = try items.duration("stalls", usually: nil)
    let call = request.segments[0]
    let found = try await desk.ask { engine -> (rows: [JSONValue], count: Int) in
      let recorded = try engine.recorded(engine.resolve(call))
      var rows: [JSONValue] = []
      // Stalls are looked for in all of the call.
      let end =
        least == nil ? min(recorded.frameCount, from.addingReportingOverflow(limit).partialValue) : recorded.frameCount
      guard from < end else { return ([], recorded.frameCount) }
      QueryEngine.forEachFrame(of: recorded, in: from..<end) { row in
        if let least, (row["gap_ns"]?.integer).map({ Int64($0) < least }) ?? true { return }
        if rows.count < limit { rows.append(row) }
      }
      return (rows, recorded.frameCount)
    }
    var response = Self.json(.array(found.rows))
    if let last = found.rows.last?["sequence"]?.integer, found.rows.count == limit, last + 1 < found.count {
      Self.link(&response, Links.path(request.path, items.with("from", String(last + 1))))
    }
    return response
  }

  private func events(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: [])
    let call = request.segments[0]
    return Self.json(try await desk.ask { JSONValue.array(try $0.events($0.resolve(call))).compact })
  }

  private func body(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: [])
    let call = request.segments[0]
    let found = try await desk.ask { engine in try engine.recorded(engine.resolve(call)) }
    return Self.file("\(found.open.id).sse", found.raw)
  }

  private func requestBody(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: [])
    let call = request.segments[0]
    let found = try await desk.ask { engine in try engine.recorded(engine.resolve(call)) }
    return Self.file("\(found.open.id).request", found.open.body)
  }

  /// Bytes that no browser shows.
  private static func file(_ name: String, _ bytes: [UInt8]) -> Response {
    var response = Response.bytes(.ok, "application/octet-stream", ByteBuffer(bytes: bytes))
    response.headers[.contentDisposition] = "attachment; filename=\"\(name)\""
    return response
  }

  private func verify(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: [])
    let call = request.segments[0]
    return Self.json(
      try await desk.ask { engine in
        try Verifier(store: engine.store).run(call: engine.resolve(call).id).json.compact
      })
  }

  // MARK: Several calls

  private func thread(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["full"])
    let (id, isFull) = (request.segments[0], try request.query.flag("full"))
    return Self.json(
      try await desk.ask { engine in
        var rows: [JSONValue] = []
        try engine.thread(id, full: isFull) { if let json = $0.json { rows.append(json) } }
        return JSONValue.array(rows).compact
      })
  }

  private func trace(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["stalls"])
    let id = request.segments[0]
    let least = try request.query.duration("stalls", usually: "500ms") ?? 0
    return Self.json(
      try await desk.ask { JSONValue.array(try $0.trace(id, stallNs: least).spans.map(\.json)).compact })
  }

  private func diff(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["a", "b"])
    let names = try ["a", "b"].map { name in
      guard let call = try request.query.one(name) else { throw WebError.field(name, "\(name) names a call") }
      return call
    }
    return Self.json(try await desk.ask { try $0.diff(names[0], names[1]).compact })
  }

  private func status(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: [])
    return Self.json(
      try await desk.run { [store = desk.store, counts = desk.fileCounts] in
        try StoreStatus.json(of: store, counts: counts).compact
      })
  }

  static func link(_ response: inout Response, _ next: String) {
    if let name = HTTPField.Name("Link") { response.headers[name] = "<\(next)>; rel=\"next\"" }
  }
}
