internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization
internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension API {
  /// New calls, and calls that ended, as server-sent events with the object of `calls`.
  func live(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: QueryItems.filterNames)
    let filter = try request.query.filter()
    return try LiveTail(desk: desk, filter: filter, callsAtOnce: 1_000).response { call in call.compactString }
  }
}

extension Pages {
  /// The same with rows of the list.
  func live(_ request: WebRequest) async throws -> Response {
    let question = try ListQuestion(request.query.without("sort", "after", "before", "limit"))
    // Nobody reads more of them in half a second.
    return try LiveTail(desk: desk, filter: question.filter, callsAtOnce: 100).response { call in
      let row = CallsPage(question: question, found: CallList()).rows([call])
      let data: JSONValue = ["id": call["call_id"] ?? .null, "html": .string(row.text)]
      return data.compactString
    }
  }
}

/// Tells of calls as they come, from the moment on at which somebody looks. It asks twice a second and only if the catalogue
/// changed, and waits for each write: nothing piles up for a client that is slow, and `StalledWrites` lets one go that
/// reads nothing at all. Of more calls than it tells at once it tells how many they were.
struct LiveTail: Sendable {
  /// A comment is written so often, in pauses: so a client that left is noticed.
  private static let pausesPerComment = 30

  let desk: Desk
  let filter: CallFilter
  let callsAtOnce: Int

  /// - Throws: `WebError` 503 when too many look on.
  func response(_ text: @escaping @Sendable (JSONValue) -> String) throws -> Response {
    let place = try LivePlace()
    let body = ResponseBody { writer in
      try await send(to: &writer, text)
      // Held for as long as it is looked on.
      withExtendedLifetime(place) {}
    }
    return Response(status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8"], body: body)
  }

  private func send(to writer: inout any ResponseBodyWriter, _ text: @Sendable (JSONValue) -> String) async throws {
    try await writer.write(ByteBuffer(string: "retry: 2000\n: from now on\n\n"))
    var told = LiveCalls(filter: filter, most: callsAtOnce)
    var stamp: String?
    var pauses = 0
    while !Task.isCancelled {
      let now = desk.catalogueStamp
      if now == nil || now != stamp {
        do {
          let (news, next) = try await desk.ask { [told] engine in
            var next = told
            return (try next.update(engine), next)
          }
          (told, stamp) = (next, now)
          try await Self.write(news, to: &writer, text)
        } catch let error as TapeError {
          // It may be made again at this moment.
          let problem: JSONValue = ["message": .string(error.description)]
          try await writer.write(ByteBuffer(string: "event: problem\ndata: \(problem.compactString)\n\n"))
          try await Task.sleep(for: .seconds(2))
        }
      }
      pauses += 1
      if pauses % Self.pausesPerComment == 0 { try await writer.write(ByteBuffer(string: ": still here\n\n")) }
      try await Task.sleep(for: .milliseconds(500))
    }
  }

  /// Piece by piece, so that it is seen whether the client takes them.
  private static func write(
    _ news: LiveCalls.News, to writer: inout any ResponseBodyWriter, _ text: (JSONValue) -> String
  ) async throws {
    var events = ""
    if news.skipped > 0 {
      let skipped: JSONValue = ["calls": .int(news.skipped), "is_more": .bool(news.isMore)]
      events += "event: skipped\ndata: \(skipped.compactString)\n\n"
    }
    for call in news.calls {
      events += "event: call\nid: \(call["call_id"]?.string ?? "")\ndata: \(text(call))\n\n"
      guard events.utf8.count >= 1 << 16 else { continue }
      try await writer.write(ByteBuffer(string: events))
      events = ""
    }
    if !events.isEmpty { try await writer.write(ByteBuffer(string: events)) }
  }
}

/// Which calls somebody was told of, and how they were.
struct LiveCalls: Sendable {
  struct News: Sendable {
    /// In the order of their start.
    var calls: [JSONValue] = []
    /// So many more came.
    var skipped = 0
    /// More than those: they were not counted to the end.
    var isMore = false
  }

  private static let mostCounted = 100_000

  let filter: CallFilter
  let most: Int
  /// The state of each of the latest calls, and of those that were open; nil before the first look.
  private var states: [String: String]?
  private var latestID: String?

  init(filter: CallFilter, most: Int) {
    self.filter = filter
    self.most = most
  }

  /// What is new since the last time. The first time nothing is.
  mutating func update(_ engine: QueryEngine) throws -> News {
    let latest = try engine.calls(filter, limit: most)
    var news = News()
    var next: [String: String] = [:]
    for call in latest.reversed() { tell(call, &next, &news) }
    if let states {
      // What was open and is not among the latest any more: it ends all the same.
      let open = states.filter { $0.value == CallState.open.rawValue && next[$0.key] == nil }
      for (id, state) in open.prefix(most) {
        // One that was erased is not there any more.
        guard let call = try? engine.call(engine.resolve(id)) else { continue }
        next[id] = state
        tell(call, &next, &news)
      }
      if latest.count == most, !latest.contains(where: { states[$0["call_id"]?.string ?? ""] != nil }) {
        try countSkipped(engine, &news)
      }
    }
    latestID = latest.first?["call_id"]?.string ?? latestID
    states = next
    return news
  }

  /// None of the latest calls was among them the last time: there may be some between.
  private func countSkipped(_ engine: QueryEngine, _ news: inout News) throws {
    var behind = filter
    if let latest = latestID.flatMap({ try? engine.resolve($0) }) {
      behind.from = max(filter.from ?? .min, latest.startedAtNs + 1)
    }
    let count = try engine.count(behind, most: Self.mostCounted + most)
    news.skipped = max(0, count - most)
    news.isMore = count == Self.mostCounted + most
  }

  private func tell(_ call: JSONValue, _ next: inout [String: String], _ news: inout News) {
    guard let id = call["call_id"]?.string, let state = call["state"]?.string else { return }
    next[id] = state
    if let states, states[id] != state { news.calls.append(call) }
  }
}

/// A place among those who may look on; given back when nobody holds it any more.
private final class LivePlace: Sendable {
  private static let free = Mutex(32)

  /// - Throws: `WebError` 503 when there is none.
  init() throws {
    let isFree = Self.free.withLock { left in
      left -= 1
      return left >= 0
    }
    if !isFree { throw WebError(.serviceUnavailable, "busy", "too many live views are open: close one") }
  }

  deinit { Self.free.withLock { $0 += 1 } }
}
