package import TapeHTTP
package import TapeRecorder

/// How the proxy listens, where it sends, and its limits.
package struct ProxyOptions: Sendable {
  package var listenHost = "127.0.0.1"
  /// 0 picks a free port.
  package var listenPort = 8484
  /// The first that fits a request has it.
  package private(set) var routes: [ProxyRoute]
  /// CA file, timeouts, archive failure policy, logger.
  package var recorder = RecorderOptions()
  /// Read upstream to its end although the client went away.
  package var drainOnAbort = false
  /// Ask orq for usage although the caller did not.
  package var ensureUsage = false
  package var limits = ConnectionLimits()

  package init(upstream: UpstreamURL) { self.init(routes: [ProxyRoute(prefix: "", upstream: upstream)]) }

  package init(routes: [ProxyRoute]) {
    self.routes = routes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
  }
}
