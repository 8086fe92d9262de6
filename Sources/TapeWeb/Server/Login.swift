internal import HTTPTypes
internal import Hummingbird

/// Asks for the token, and keeps the browser let in.
struct Login: Sendable {
  let token: UIToken?

  var routes: [Route] {
    guard let token else { return [] }
    return [
      Route(.get, "/login", isOpen: true) { _ in Self.form() },
      Route(.post, "/login", isOpen: true) { request in try await Self.enter(request, token) },
      Route(.post, "/logout") { request in
        try Self.checkOrigin(request.headers)
        var response = Response.redirect(to: "/login")
        response.headers[.setCookie] = Self.cookie("", seconds: 0)
        return response
      },
    ]
  }

  private static func enter(_ request: WebRequest, _ token: UIToken) async throws -> Response {
    try checkOrigin(request.headers)
    let given = try await request.form()
    guard let text = try given.one("token"), token.matches(text) else {
      // Guessing is slow.
      try await Task.sleep(for: .seconds(1))
      return form(problem: "That is not the token that the server was started with.", status: .unauthorized)
    }
    var response = Response.redirect(to: "/")
    response.headers[.setCookie] = cookie(token.cookie, seconds: 30 * 86_400)
    return response
  }

  /// Another site's page may send a form here, too.
  private static func checkOrigin(_ headers: HTTPFields) throws {
    let site = HTTPField.Name("Sec-Fetch-Site").flatMap { headers[$0] } ?? "none"
    guard ["same-origin", "none"].contains(site) else {
      throw WebError(.forbidden, "cross_site", "this form was sent from another site")
    }
  }

  private static func cookie(_ value: String, seconds: Int) -> String {
    "\(UIToken.cookieName)=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict"
  }

  /// The answer to who has no token.
  static func demanded(_ path: String) -> Response {
    guard path.hasPrefix("/api/") || path == "/metrics" else { return form(status: .unauthorized) }
    var response = ErrorPage.response(
      WebError(.unauthorized, "unauthorized", "send the token of --ui-token as Authorization: Bearer"), path: "/api/")
    response.headers[.wwwAuthenticate] = "Bearer"
    return response
  }

  private static func form(problem: String? = nil, status: HTTPResponse.Status = .ok) -> Response {
    var data = PageData()
    data["problem"] = problem
    return Templates.page("login", title: "Sign in", status: status, data)
  }
}
