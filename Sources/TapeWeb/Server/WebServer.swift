internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
package import TapeArchive
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The web UI and the JSON API of a store. It writes nothing.
package struct WebServer: Sendable {
  private static let mostConnections = 512

  private let store: Store
  private let host: String
  private let port: Int
  private let token: UIToken?
  private let more: [Route]
  private let log: Logger

  /// - Parameters:
  ///   - port: 0 picks a free one.
  ///   - token: what has to be known to be answered; nil for nothing.
  ///   - routes: what is answered beside the UI and the API.
  package init(
    store: Store, host: String, port: Int, token: UIToken? = nil, routes: [Route] = [], log: Logger
  ) {
    self.store = store
    self.host = host
    self.port = port
    self.token = token
    more = routes
    self.log = log
  }

  /// Serves until the task is cancelled.
  ///
  /// - Parameter onListening: gets the port once it accepts.
  /// - Throws: `TapeError` `.network` if it cannot listen.
  package func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
    let desk = Desk(store: store)
    let dispatcher = Dispatcher(
      routes: Assets.routes + Pages(desk: desk).routes + API(desk: desk).routes + Login(token: token).routes + more,
      token: token, hostName: host)
    let application = Application(
      responder: CallbackResponder<BasicRequestContext> { request, _ in await dispatcher.respond(to: request) },
      // Who asks nothing for a minute is let go; a live tail writes more often.
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [StalledWrites(patience: .seconds(30))], idleTimeout: .seconds(60))),
      configuration: .init(
        address: .hostname(host, port: port), serverName: "tapedeck",
        availableConnectionsDelegate: MaximumAvailableConnections(Self.mostConnections)),
      onServerRunning: { channel in onListening(channel.localAddress?.port ?? port) },
      logger: log)
    do {
      try await application.run()
    } catch {
      await desk.close()
      guard let error = error as? IOError else { throw error }
      let place = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
      let reason = String(cString: strerror(error.errnoCode)).lowercased()
      throw TapeError(
        .network, "the web page cannot listen on \(place): \(reason); give another --ui HOST:PORT, or --ui off")
    }
    await desk.close()
  }
}

/// Finds who answers a request, and lets nobody in who may not.
struct Dispatcher: Sendable {
  let routes: [Route]
  let token: UIToken?
  let hostName: String

  func respond(to request: Request) async -> Response {
    var response: Response
    do {
      response = try await answer(request)
    } catch {
      response = ErrorPage.response(WebError(any: error), path: request.uri.path)
    }
    SafetyHeaders.add(to: &response)
    if request.method == .head {
      let length = response.body.contentLength
      response.body = .init()
      if let length { response.headers[.contentLength] = String(length) }
    }
    return response
  }

  private func answer(_ request: Request) async throws -> Response {
    guard LocalAuthority.isAnswered(request.head.authority, name: hostName) else {
      throw WebError(
        .misdirectedRequest, "misdirected",
        "this server answers to localhost, addresses, and the name that it listens on")
    }
    let path = request.uri.path
    let segments = path.split(separator: "/")
    let found = routes.filter { $0.matches(segments) }
    let method = request.method == .head ? .get : request.method
    let route = found.first { $0.method == method }
    if let token, route?.isOpen != true, !token.admits(request.headers) { return Login.demanded(path) }
    guard let route else {
      guard found.isEmpty else { return notAllowed(found, path) }
      throw WebError(.notFound, "not_found", "there is no page \(path)")
    }
    let stars = zip(route.path, segments).filter { $0.0 == nil }.map(\.1)
    return try await route.answer(
      WebRequest(
        method: method, path: path, segments: stars.map { try URLText.decoded($0.utf8) },
        query: QueryItems(request.uri.query ?? ""), headers: request.headers, body: request.body))
  }

  private func notAllowed(_ found: [Route], _ path: String) -> Response {
    let methods = Set(found.map(\.method.rawValue)).union(found.contains { $0.method == .get } ? ["HEAD"] : [])
    let allowed = methods.sorted().joined(separator: ", ")
    var response = ErrorPage.response(
      WebError(.methodNotAllowed, "method_not_allowed", "\(path) takes \(allowed)"), path: path)
    response.headers[.allow] = allowed
    return response
  }
}

extension Response {
  static func text(_ status: HTTPResponse.Status, _ type: String, _ body: String) -> Response {
    bytes(status, "\(type); charset=utf-8", ByteBuffer(string: body))
  }

  /// Large ones piece by piece, so that it is seen whether a client takes them.
  static func bytes(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
    let whole = ResponseBody(byteBuffer: body)
    let pieces = ResponseBody(contentLength: body.readableBytes) { writer in
      var rest = body
      while let piece = rest.readSlice(length: min(1 << 16, rest.readableBytes)), piece.readableBytes > 0 {
        try await writer.write(piece)
      }
      try await writer.finish(nil)
    }
    return Response(
      status: status, headers: [.contentType: type], body: body.readableBytes > 1 << 17 ? pieces : whole)
  }

  static func redirect(to location: String) -> Response {
    Response(status: .seeOther, headers: [.location: location])
  }
}
