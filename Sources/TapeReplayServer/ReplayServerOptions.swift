package import Logging
package import TapeHTTP
package import TapeReplay

/// How a replay server listens, how it plays, and its limits.
package struct ReplayServerOptions: Sendable {
  package var listenHost = "127.0.0.1"
  /// 0 picks a free port.
  package var listenPort = 8486
  package var pace = ReplayPace.original
  package var logger: Logger
  package var limits = ConnectionLimits()
  /// Response bytes of recordings that are kept to be played again.
  package var cacheBytes = 64 << 20

  package init(logger: Logger) { self.logger = logger }
}
