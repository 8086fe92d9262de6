package import TapeRecorder

/// How the proxy listens, where it sends, and its limits.
package struct ProxyOptions: Sendable {
  package var listenHost = "127.0.0.1"
  /// 0 picks a free port.
  package var listenPort = 8484
  package var upstream: UpstreamURL
  /// CA file, timeouts, archive failure policy, logger.
  package var recorder = RecorderOptions()
  /// Read upstream to its end although the client went away.
  package var drainOnAbort = false
  /// Ask orq for usage although the caller did not.
  package var ensureUsage = false
  package var maxConnections = 8192
  package var maxHeaderBytes = 64 << 10
  package var maxBodyBytes = 64 << 20
  /// A request that stands still inside for this long is refused.
  package var requestTimeoutNs: Int64 = 60_000_000_000
  /// A connection without a request is closed after this time.
  package var keepAliveNs: Int64 = 120_000_000_000
  /// How long a closed connection waits for the client to close too.
  package var lingerNs: Int64 = 2_000_000_000

  package init(upstream: UpstreamURL) {
    self.upstream = upstream
  }
}
