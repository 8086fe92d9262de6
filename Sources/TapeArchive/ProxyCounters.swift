package import TapeTypes

/// What a recording proxy counts, for `/metrics`; here, so that pages need not know the proxy. A snapshot, taken without
/// stopping the loop.
package struct ProxyCounters: Sendable, Equatable {
  package var openConnections = 0
  /// Calls being taped now.
  package var openCalls = 0
  /// Taped calls since the start.
  package var calls = 0
  /// Requests passed through without tape since the start.
  package var passedThrough = 0
  package var frames = 0
  /// Response bytes taped.
  package var bytes = 0
  package var gapFrames = 0
  package var gapBytes = 0
  /// Nanoseconds between the frames of event streams that follow each other.
  package var chunkTimes = Histogram.operationNs
  package var syncs = SyncReadings()

  package init() {}
}
