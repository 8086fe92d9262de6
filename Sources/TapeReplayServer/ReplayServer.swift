internal import Synchronization
package import TapeArchive
internal import TapeHTTP
internal import TapeLoop
internal import TapeTypes

/// Answers requests with the recorded responses: a drop-in for the upstream that they came from.
///
/// All sending happens on one thread that `start` makes; recordings are looked for and read on others.
package final class ReplayServer: Sendable {
  private let loop: EventLoopReference
  private let core: ReplayCore
  private let options: ReplayServerOptions
  private let thread = Mutex<LoopThread?>(nil)

  /// - Throws: `TapeError` if the process has no descriptors left.
  package init(
    _ recordings: sending Recordings, of archive: ArchiveReader, rules: MatchRules, options: ReplayServerOptions
  ) throws {
    self.options = options
    let loop = try EventLoop()
    self.loop = EventLoopReference(loop: loop, poster: loop.poster)
    core = try ReplayCore(options: options, loop: loop, matcher: Matcher(recordings, archive, rules))
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
      loop.loop.run()
      core.dismantle()
    }
    thread.withLock { $0 = made }
    return listener.port
  }

  /// Takes no new connections and lets open responses end. Returns at once.
  package func stop() {
    loop.poster.post { [core] in core.stop() }
  }

  /// Ends at once: open responses are cut.
  package func stopNow() {
    loop.poster.post { [core] in core.stopNow() }
  }

  /// Blocks until the thread has ended.
  ///
  /// - Returns: how all replays went.
  @discardableResult
  package func waitUntilStopped() -> ReplayTotals {
    thread.withLock { $0 }?.join()
    return core.totals
  }
}

/// The loop, which is its thread's own from `start` on, and what others may post to.
private struct EventLoopReference: @unchecked Sendable {
  let loop: EventLoop
  let poster: LoopMailbox
}
