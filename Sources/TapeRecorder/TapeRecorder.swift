import Synchronization
public import TapeArchive
import TapeRedaction
import TapeLoop
import TapeTypes

/// Makes HTTP calls and tapes their responses while they stream.
///
/// One recorder is one writer of the store, with a thread of its own. Any number of
/// calls may run at a time.
public final class TapeRecorder: Sendable {
  private let loop: RecordingLoop
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
    let refusal = isClosed.withLock { isClosed -> TapeError? in
      if isClosed { return TapeError(.failed, "the recorder is closed") }
      // Inside the lock: behind the post that closes, nothing would run.
      loop.post { loop in Self.start(request, id: id, pipe: pipe, on: loop) }
      return nil
    }
    if let refusal { pipe.finish(nil, failure: refusal) }
    return TapeStream(callID: id, pipe: pipe)
  }

  /// Waits for the calls that run, syncs and closes the journal. No call can be started afterwards.
  public func close() {
    beginToClose()
    thread.join()
  }

  private func beginToClose() {
    isClosed.withLock { isClosed in
      guard !isClosed else { return }
      isClosed = true
      loop.post { $0.finishWhenIdle() }
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
