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
    return try LiveTail(desk: desk, filter: filter).response { call in call.compactString }
  }
}

extension Pages {
  /// The same with rows of the list.
  func live(_ request: WebRequest) async throws -> Response {
    let question = try ListQuestion(request.query.without("sort", "after", "limit"))
    return try LiveTail(desk: desk, filter: question.filter).response { call in
      let row = CallsPage(question: question, found: CallList()).rows([call])
      let data: JSONValue = ["id": call["call_id"] ?? .null, "html": .string(row.text)]
      return data.compactString
    }
  }
}

/// Tells of calls as they come, from the moment on at which somebody looks. It asks twice a second and only if the catalogue
/// changed, and waits for each write: nothing piles up for a client that is slow, and `StalledWrites` lets one go that
/// reads nothing at all.
struct LiveTail: Sendable {
  private static let rowsAtOnce = 1_000
  /// A comment is written so often, in pauses: so a client that left is noticed.
  private static let pausesPerComment = 30

  let desk: Desk
  let filter: CallFilter

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
    // How each of the latest calls was when it was told of.
    var known: [String: String]?
    var stamp = ""
    var pauses = 0
    while !Task.isCancelled {
      let now = desk.catalogueStamp
      if now != stamp || known == nil {
        do {
          let calls = try await desk.ask { [filter] engine in try engine.calls(filter, limit: Self.rowsAtOnce) }
          stamp = now
          var events = ""
          var next: [String: String] = [:]
          for call in calls.reversed() {
            guard let id = call["call_id"]?.string else { continue }
            let state = call["state"]?.string ?? ""
            next[id] = state
            if let known, known[id] != state { events += "event: call\nid: \(id)\ndata: \(text(call))\n\n" }
          }
          known = next
          if !events.isEmpty { try await writer.write(ByteBuffer(string: events)) }
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
