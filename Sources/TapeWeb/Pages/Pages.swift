internal import HTTPTypes
internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// What is served to people.
struct Pages: Sendable {
  let desk: Desk

  var routes: [Route] {
    [
      Route(.get, "/", calls),
      Route(.get, "/calls") { request in
        .redirect(to: "/" + (request.query.isEmpty ? "" : "?" + request.query.text))
      },
      Route(.get, "/live", live), Route(.get, "/find", find),
      Route(.get, "/calls/*", call), Route(.get, "/calls/*/replay", replay),
      Route(.get, "/calls/*/timeline", timeline), Route(.get, "/calls/*/media/*", media),
      Route(.get, "/thread", thread), Route(.get, "/trace", trace), Route(.get, "/diff", diff),
      Route(.get, "/usage", usage), Route(.get, "/identities", identities), Route(.get, "/store", store),
    ]
  }
}

extension Pages {
  /// A page about calls, of what the store says.
  func page(
    _ template: String, title: String, _ data: @escaping @Sendable (QueryEngine) throws -> PageData
  ) async throws -> Response {
    let html = try await desk.ask { engine in Templates.html(template, try data(engine)) }
    return Templates.frame(title: title, section: "calls", html)
  }

  /// Goes to the call that was typed.
  func find(_ request: WebRequest) async throws -> Response {
    try request.query.check(known: ["call"])
    guard let call = try request.query.filled.one("call") else { return .redirect(to: "/") }
    return .redirect(to: Links.call(try await desk.ask { try $0.resolve(call).id.description }))
  }
}

/// Addresses of pages.
enum Links {
  static func call(_ id: String) -> String { "/calls/" + URLText.encoded(id) }
  static func replay(_ id: String) -> String { call(id) + "/replay" }
  static func thread(_ id: String) -> String { "/thread?id=" + URLText.encoded(id) }
  static func trace(_ id: String) -> String { "/trace?id=" + URLText.encoded(id) }

  /// The calls that a filter lets through.
  static func calls(_ filters: [(String, String)]) -> String {
    var items = QueryItems()
    items.items = filters.map { (name: $0.0, value: $0.1) }
    let href = path("/", items)
    // No browser asks for a longer one.
    return href.utf8.count < 8_000 ? href : "/"
  }

  static func path(_ path: String, _ items: QueryItems) -> String { items.isEmpty ? path : "\(path)?\(items.text)" }
}

/// How the end of a call looks.
enum StateMark {
  /// A class of the style sheet.
  static func style(_ state: String) -> String {
    switch CallState(rawValue: state) {
    case .done: "done"
    case .open: "open"
    case .clientAbort: "abort"
    default: "bad"
    }
  }

  static func words(_ state: String) -> String {
    state.split(separator: "_").joined(separator: " ")
  }
}
