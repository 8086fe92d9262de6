/// The recording reverse proxy: forwards every request to one upstream and tapes the generations.
///
/// All work happens on one thread that `start` makes.
package final class ProxyServer: Sendable {
  package init(options: ProxyOptions) throws {}

  /// Binds, listens, and starts the thread.
  ///
  /// - Returns: The port that it listens on.
  package func start() throws -> Int { 0 }

  /// Takes no new connections, lets open streams end, then closes the journal. Returns at once.
  package func stop() {}

  /// Ends at once: open calls stay without an end record, as if the process had been killed.
  package func stopNow() {}

  /// Blocks until the thread has ended.
  package func waitUntilStopped() {}

  package var counters: ProxyCounters { ProxyCounters() }
}
