/// What a server takes of its clients, and for how long it waits for them.
package struct ConnectionLimits: Sendable {
  /// 503 beyond so many.
  package var maxConnections = 8192
  /// 431 for a request head over so many bytes.
  package var maxHeaderBytes = 64 << 10
  /// 413 for a request body over so many bytes.
  package var maxBodyBytes = 64 << 20
  /// 408 for a request that stands still inside for this long.
  package var requestTimeoutNs: Int64 = 60_000_000_000
  /// A connection without a request is closed after this time.
  package var keepAliveNs: Int64 = 120_000_000_000
  /// A client that takes nothing of what is there for it is let go after this time; 0 never.
  package var stuckNs: Int64 = 600_000_000_000
  /// How long a closed connection waits for the client to close too.
  package var lingerNs: Int64 = 2_000_000_000

  package init() {}
}
