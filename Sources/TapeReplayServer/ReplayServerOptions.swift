package import Logging
package import TapeReplay

/// How a replay server listens, how it plays, and its limits.
package struct ReplayServerOptions: Sendable {
  package var listenHost = "127.0.0.1"
  /// 0 picks a free port.
  package var listenPort = 8486
  package var pace = ReplayPace.original
  package var logger: Logger
  package var maxConnections = 8192
  package var maxHeaderBytes = 64 << 10
  package var maxBodyBytes = 64 << 20
  /// A request that stands still inside for this long is refused.
  package var requestTimeoutNs: Int64 = 60_000_000_000
  /// A connection without a request is closed after this time.
  package var keepAliveNs: Int64 = 120_000_000_000
  /// A client that takes nothing for so long is let go.
  package var stuckNs: Int64 = 600_000_000_000
  /// How long a closed connection waits for the client to close too.
  package var lingerNs: Int64 = 2_000_000_000
  /// Response bytes of recordings that are kept to be played again.
  package var cacheBytes = 64 << 20

  package init(logger: Logger) { self.logger = logger }
}
