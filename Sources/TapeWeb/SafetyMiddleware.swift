internal import HTTPTypes
internal import Hummingbird

/// Refuses requests for other hosts, so that no web page can reach the store by rebinding a
/// name to loopback, and lets nothing on a page load or run anything from elsewhere.
struct SafetyMiddleware<Context: RequestContext>: RouterMiddleware {
  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    guard LocalAuthority.isLocal(request.head.authority) else {
      return WebServer.response(
        .misdirectedRequest, "text/plain", "this server answers to localhost and IP addresses only\n")
    }
    var response = try await next(request, context)
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    response.headers[.xContentTypeOptions] = "nosniff"
    if let field = HTTPField.Name("Referrer-Policy") { response.headers[field] = "no-referrer" }
    return response
  }
}

enum LocalAuthority {
  /// `localhost` or a literal address, with or without a port: names can be rebound, these cannot.
  static func isLocal(_ authority: String?) -> Bool {
    guard let authority else { return true }
    if authority.hasPrefix("[") { return true }
    let host = authority.split(separator: ":", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return host.lowercased() == "localhost" || (parts.count == 4 && parts.allSatisfy { UInt8($0) != nil })
  }
}
