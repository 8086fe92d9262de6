import Synchronization
package import TapeArchive
import TapeHTTP
import TapeLoop
import TapeRecorder
import TapeTypes

/// The recording reverse proxy: forwards every request to one upstream and tapes the generations.
///
/// All work happens on one thread that `start` makes.
package final class ProxyServer: Sendable {
  private let loop: RecordingLoop
  /// Made here, and the loop thread's own from `start` on: all that is posted to it runs there.
  nonisolated(unsafe) private let core: ProxyCore
  private let options: ProxyOptions
  private let thread = Mutex<LoopThread?>(nil)

  /// - Throws: `TapeError` if the store cannot be written.
  package init(options: ProxyOptions, store: Store, journal: JournalOptions = JournalOptions()) throws {
    self.options = options
    loop = try RecordingLoop(store: store, journal: journal, options: options.recorder)
    core = ProxyCore(options: options, loop: loop)
  }

  /// Binds, listens, and starts the thread. Once only.
  ///
  /// - Returns: The port that it listens on.
  /// - Throws: `TapeError` if the address cannot be had.
  package func start() throws -> Int {
    DescriptorLimit.raise()
    let listener = try Listener(host: options.listenHost, port: options.listenPort)
    core.listen(on: listener)
    let made = try LoopThread { [self] in
      loop.run()
      core.dismantle()
    }
    thread.withLock { $0 = made }
    return listener.port
  }

  /// Takes no new connections, lets open streams end, then closes the journal. Returns at once.
  package func stop() {
    loop.post { [self] _ in core.stop() }
  }

  /// Ends at once: open calls stay without an end record, as if the process had been killed.
  package func stopNow() {
    loop.post { [self] _ in core.stopNow() }
  }

  /// Blocks until the thread has ended.
  package func waitUntilStopped() { thread.withLock { $0 }?.join() }

  package var counters: ProxyCounters {
    var snapshot = ProxyCounters()
    snapshot.openConnections = loop.counters.connections
    snapshot.openCalls = loop.counters.openCalls
    snapshot.calls = loop.counters.calls
    snapshot.passedThrough = loop.counters.passedThrough
    snapshot.frames = loop.counters.frames
    snapshot.bytes = loop.counters.bytes
    snapshot.gapFrames = loop.counters.gapFrames
    snapshot.gapBytes = loop.counters.gapBytes
    snapshot.chunkTimes = loop.counters.chunkTimes
    snapshot.syncs = loop.syncReadings
    return snapshot
  }
}
