internal import TapeLoop

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

  /// What a connection takes of the files that the process may have open: with a connection to upstream two.
  package var filesPerConnection = 1

  package init() {}

  /// What a server has open by itself: the event set, journals, the catalogue, its log.
  private static let otherFiles = 16

  /// How many connections there may be of as many files as the process may have open now, some held back for others.
  var connectionsByFiles: Int {
    guard let most = DescriptorLimit.most else { return maxConnections }
    return max(1, (most - DescriptorLimit.heldBack - Self.otherFiles) / filesPerConnection)
  }
}
