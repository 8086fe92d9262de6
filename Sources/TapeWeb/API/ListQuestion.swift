internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TapeArchive
internal import TapeExport
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// How a list is written.
enum ListFormat: String, CaseIterable, Sendable {
  case json, ndjson, csv

  init(_ items: QueryItems) throws {
    let text = try items.one("format") ?? "json"
    guard let format = ListFormat(rawValue: text) else {
      throw WebError.field("format", "format takes json, ndjson or csv, not '\(text)'")
    }
    self = format
  }

  private var type: String {
    switch self {
    case .json: "application/json; charset=utf-8"
    case .ndjson: "application/x-ndjson; charset=utf-8"
    case .csv: "text/csv; charset=utf-8; header=present"
    }
  }

  /// Rows as they come, in bounded memory: a batch is made when the one before has been taken.
  ///
  /// - Parameter batches: nil after the last one.
  func response(
    columns: [String], name: String, link: String?, batches: @escaping @Sendable (Int) async throws -> [JSONValue]?
  ) -> Response {
    let body = ResponseBody { writer in
      var lines = ListWriter(self, columns: columns)
      var number = 0
      while let rows = try await batches(number) {
        number += 1
        let bytes = lines.add(rows)
        if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
      }
      try await writer.write(ByteBuffer(bytes: lines.finish()))
      try await writer.finish(nil)
    }
    var response = Response(status: .ok, headers: [.contentType: type], body: body)
    if self != .json { response.headers[.contentDisposition] = "attachment; filename=\"\(name).\(rawValue)\"" }
    if let link { API.link(&response, link) }
    return response
  }
}

/// Writes rows in a format.
struct ListWriter {
  private let format: ListFormat
  private let csv: CSVLines
  private var isBegun = false

  init(_ format: ListFormat, columns: [String]) {
    self.format = format
    csv = CSVLines(columns: columns, whole: [])
  }

  mutating func add(_ rows: [JSONValue]) -> [UInt8] {
    var bytes = start()
    for row in rows {
      switch format {
      case .json:
        bytes.append(isBegun ? 0x2C : 0x5B)
        row.write(into: &bytes)
      case .ndjson:
        row.write(into: &bytes)
        bytes.append(0x0A)
      case .csv: bytes += csv.line(row)
      }
      isBegun = true
    }
    return bytes
  }

  private func start() -> [UInt8] { format == .csv && !isBegun ? csv.header : [] }

  mutating func finish() -> [UInt8] {
    switch format {
    case .json: Array((isBegun ? "]\n" : "[]\n").utf8)
    case .ndjson: []
    case .csv: start()
    }
  }

  /// The keys of a row, nested ones with dots.
  static func columns(of row: JSONValue, without left: String) -> [String] {
    (row.members ?? []).filter { $0.key != left }.flatMap { member in
      member.value.members.map { $0.map { "\(member.key).\($0.key)" } } ?? [member.key]
    }
  }

  static func batches(of rows: UsageRows) -> @Sendable (Int) async throws -> [JSONValue]? {
    { number in
      let start = number * 1_000
      return start < rows.count ? rows[start..<min(start + 1_000, rows.count)].map { $0 } : nil
    }
  }
}

extension API {
  /// A list that is asked for page by page.
  struct ListQuestion: Sendable {
    typealias Search = @Sendable (QueryEngine, CallEntry?, Int, (JSONValue) throws -> Void) throws -> Void

    private static let rowsAtOnce = 500

    let filter: CallFilter
    let sort: CallSort
    let after: String?
    /// nil for all.
    let limit: Int?
    let format: ListFormat

    init(_ items: QueryItems) throws {
      filter = try items.filter()
      sort = try CallSort(parameter: items.one("sort"))
      after = try items.one("after")
      format = try ListFormat(items)
      // A list that is read as a whole is not endless by default.
      limit = try items.number("limit", 1...1_000_000) ?? (format == .json ? 100 : nil)
    }

    /// The first rows are found before anything is sent, so that what is wrong has a status.
    func answer(
      _ desk: Desk, columns: [String], path: String, _ items: QueryItems, _ search: @escaping Search
    ) async throws -> Response {
      let first = try await page(desk, after: after, left: limit ?? .max, search)
      var link: String?
      if let limit, limit <= Self.rowsAtOnce, first.count > limit, let last = first[limit - 1]["call_id"]?.string {
        link = Links.path(path, items.with("after", last))
      }
      let state = Batches(self, desk, first, search)
      return format.response(columns: columns, name: "calls", link: link) { _ in try await state.next() }
    }

    /// One more than are wanted, where few are.
    fileprivate func page(_ desk: Desk, after: String?, left: Int, _ search: @escaping Search) async throws
      -> [JSONValue]
    {
      let count = left < Self.rowsAtOnce ? left + 1 : Self.rowsAtOnce
      return try await desk.ask { engine in
        let place: CallEntry?
        do { place = try after.map(engine.resolve) } catch let error as TapeError where error.code == .usage {
          throw WebError.field("after", error.description)
        }
        var rows: [JSONValue] = []
        try search(engine, place, count) { rows.append($0) }
        return rows
      }
    }

    /// Where the writing of a list is.
    private actor Batches {
      private let question: ListQuestion
      private let desk: Desk
      private let search: Search
      private var waiting: [JSONValue]?
      private var left: Int

      init(_ question: ListQuestion, _ desk: Desk, _ first: [JSONValue], _ search: @escaping Search) {
        self.question = question
        self.desk = desk
        self.search = search
        waiting = first
        left = question.limit ?? .max
      }

      func next() async throws -> [JSONValue]? {
        guard let rows = waiting?.prefix(left), !rows.isEmpty else { return nil }
        let isLast = rows.count < ListQuestion.rowsAtOnce || rows.count == left
        left -= rows.count
        waiting = nil
        if !isLast {
          waiting = try await question.page(desk, after: rows.last?["call_id"]?.string, left: left, search)
        }
        return Array(rows)
      }
    }
  }
}
