import Synchronization
public import TapeArchive
import TapeLoop
import TapeRedaction
@_exported public import TapeTypes

/// Makes HTTP calls and tapes their responses while they stream.
///
/// One recorder is one writer of the store, with a thread of its own. Any number of
/// calls may run at a time.
public final class TapeRecorder: Sendable {
  let loop: RecordingLoop
  private let thread: LoopThread
  private let isClosed = Mutex(false)

  /// - Parameter store: Directory of the store; made if it is missing.
  /// - Throws: `TapeError` if the store cannot be written.
  public convenience init(store: String, options: RecorderOptions = RecorderOptions()) throws {
    try self.init(store: Store(path: store, access: .writing), options: options)
  }

  /// - Throws: `TapeError` if the store cannot be written.
  public init(store: Store, options: RecorderOptions = RecorderOptions()) throws {
    let loop = try RecordingLoop(store: store, journal: JournalOptions(), options: options)
    self.loop = loop
    thread = try LoopThread {
      loop.run()
      // Its journal is closed now.
      Eraser.finish(in: store, log: options.logger)
    }
  }

  deinit { beginToClose() }

  /// Starts a call. Everything that can go wrong comes out of the stream that is returned.
  public func stream(_ request: TapeRequest) -> TapeStream {
    let id = loop.newCallID(wallNs: loop.wallNow)
    let pipe = StreamPipe()
    let isOpen = post { Self.start(request, id: id, pipe: pipe, on: $0) }
    if !isOpen { pipe.finish(nil, failure: TapeError(.failed, "the recorder is closed")) }
    return TapeStream(callID: id, pipe: pipe)
  }

  /// Waits for the calls that run, syncs and closes the journal. No call can be started afterwards.
  ///
  /// Blocks its thread: whoever reads a stream has to get on meanwhile. Bodies that nobody has begun to read are left.
  public func close() {
    beginToClose()
    thread.join()
  }

  /// Has the loop's thread do something.
  ///
  /// - Returns: false if the recorder is closed: then it is not done.
  func post(_ work: @escaping @Sendable (RecordingLoop) -> Void) -> Bool {
    isClosed.withLock { isClosed in
      // Inside the lock: behind the post that closes, nothing would run.
      if !isClosed { loop.post(work) }
      return !isClosed
    }
  }

  private func beginToClose() {
    isClosed.withLock { isClosed in
      guard !isClosed else { return }
      isClosed = true
      loop.post { loop in
        loop.bodies.leaveUnread()
        loop.finishWhenIdle()
      }
    }
  }

  private static func start(_ request: TapeRequest, id: CallID, pipe: StreamPipe, on loop: RecordingLoop) {
    let upstream: UpstreamURL
    do { upstream = try UpstreamURL(request.url) } catch { return pipe.finish(nil, failure: error) }
    var open = CallOpen(
      id: id, startedAtNs: loop.wallNow, origin: loop.options.origin, upstream: upstream.origin,
      method: request.method, path: upstream.target, headers: request.headers, salt: RecordingLoop.newSalt())
    loop.secrets.clean(&open)
    open.body = request.body
    loop.redactor?.clean(&open)
    let upstreamRequest = UpstreamRequest(
      upstream: upstream, method: request.method, target: upstream.target,
      headers: UpstreamRequest.forwarded(request.headers, to: upstream), body: request.body,
      hasBody: !request.body.isEmpty || ["POST", "PUT", "PATCH"].contains(request.method), open: open,
      isGeneration: true, zeroNs: nil)
    StreamClient(pipe: pipe, loop: loop).start(upstreamRequest, on: loop)
  }
}
