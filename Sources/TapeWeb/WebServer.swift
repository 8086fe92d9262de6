internal import HTTPTypes
internal import Hummingbird
package import Logging
internal import NIOCore
internal import NIOPosix
package import TapeArchive
internal import TapeQuery
internal import TapeTypes

/// The web page of a store: for now health and a plain list of the latest calls.
package struct WebServer: Sendable {
  private let store: Store
  private let host: String
  private let port: Int
  private let metrics: MetricsPage
  private let log: Logger

  /// - Parameter port: 0 picks a free one.
  package init(store: Store, host: String, port: Int, metrics: MetricsPage, log: Logger) {
    self.store = store
    self.host = host
    self.port = port
    self.metrics = metrics
    self.log = log
  }

  /// Serves until the task is cancelled.
  ///
  /// - Parameter onListening: gets the port once it accepts.
  /// - Throws: what bind(2) said.
  package func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
    let router = Router()
    router.add(middleware: SafetyMiddleware())
    router.get("/healthz") { _, _ in
      WebServer.response(.ok, "application/json", #"{"status":"ok"}"# + "\n")
    }
    router.get("/tapedeck.css") { _, _ in
      WebServer.response(.ok, "text/css", String(decoding: PackageResources.tapedeck_css, as: UTF8.self))
    }
    router.get("/") { _, _ in
      try await NIOThreadPool.singleton.runIfActive { WebServer.callsPage(store) }
    }
    router.get("/metrics") { [metrics] _, _ in
      WebServer.response(
        .ok, MetricsPage.contentType, try await NIOThreadPool.singleton.runIfActive { metrics.text() })
    }
    let application = Application(
      router: router,
      configuration: .init(address: .hostname(host, port: port), serverName: "tapedeck"),
      onServerRunning: { channel in onListening(channel.localAddress?.port ?? port) },
      logger: log)
    try await application.run()
  }

  static func response(_ status: HTTPResponse.Status, _ type: String, _ body: String) -> Response {
    Response(
      status: status, headers: [.contentType: "\(type); charset=utf-8", .cacheControl: "no-store"],
      body: .init(byteBuffer: ByteBuffer(string: body)))
  }

  private static func callsPage(_ store: Store) -> Response {
    do {
      let rows = try QueryEngine(store: store).calls(CallFilter(), limit: 200)
      return response(.ok, "text/html", CallsPage(rows: rows).html)
    } catch let error as TapeError {
      return response(.ok, "text/html", CallsPage(rows: [], notice: error.description).html)
    } catch {
      return response(.internalServerError, "text/plain", "the catalogue cannot be read: \(error)\n")
    }
  }
}
