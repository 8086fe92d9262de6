import Synchronization
import TapeTypes

/// The bounded hand-over of one response from the loop's thread to a task.
final class StreamPipe: Sendable {
  private struct State {
    var chunks: [[UInt8]] = []
    /// How many of `chunks` have been read.
    var read = 0
    var waitingBytes = 0
    var head: CallHead?
    var end: TapeStream.End?
    var failure: (any Error)?
    /// Calls `loop` with what the reader wants; set when the exchange has started.
    var signal: (@Sendable (Signal) -> Void)?
    var isCancelled = false
    var reader: CheckedContinuation<[UInt8]?, any Error>?
    var headWaiters: [CheckedContinuation<CallHead, any Error>] = []
    var endWaiters: [CheckedContinuation<TapeStream.End, any Error>] = []
  }

  enum Signal: Sendable { case wantsMore, cancelled }

  /// With this much unread the loop's side keeps what comes, until it pauses upstream.
  private static let fullBytes = 256 << 10

  private let state = Mutex(State())

  // MARK: The loop's side

  /// Room for more chunks.
  var hasRoom: Bool { state.withLock { $0.waitingBytes < Self.fullBytes } }

  /// - Returns: false if the reader has gone already.
  func connect(_ signal: @escaping @Sendable (Signal) -> Void) -> Bool {
    state.withLock {
      $0.signal = signal
      return !$0.isCancelled
    }
  }

  func give(_ head: CallHead) {
    let waiters = state.withLock { state in
      state.head = head
      defer { state.headWaiters = [] }
      return state.headWaiters
    }
    for waiter in waiters { waiter.resume(returning: head) }
  }

  func give(_ chunk: [UInt8]) {
    let reader = state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
      if let reader = state.reader {
        state.reader = nil
        return reader
      }
      state.chunks.append(chunk)
      state.waitingBytes += chunk.count
      return nil
    }
    reader?.resume(returning: chunk)
  }

  /// The last word. A `failure` comes to the reader behind all chunks.
  func finish(_ end: TapeStream.End?, failure: (any Error)?) {
    let (reader, heads, ends) = state.withLock { state in
      state.end = end
      state.failure = state.isCancelled ? CancellationError() : failure
      state.signal = nil
      defer { (state.reader, state.headWaiters, state.endWaiters) = (nil, [], []) }
      return (state.reader, state.headWaiters, state.endWaiters)
    }
    let reason = state.withLock { $0.failure }
    if let reason { reader?.resume(throwing: reason) } else { reader?.resume(returning: nil) }
    for waiter in heads { waiter.resume(throwing: reason ?? Self.noHead) }
    for waiter in ends {
      if let end { waiter.resume(returning: end) } else { waiter.resume(throwing: reason ?? Self.noHead) }
    }
  }

  private static let noHead = TapeError(.network, "the call ended without a response")

  // MARK: The reader's side

  func next() async throws -> [UInt8]? {
    try await withCheckedThrowingContinuation { continuation in
      enum Now {
        case wait
        case chunk([UInt8], (@Sendable (Signal) -> Void)?)
        case over((any Error)?)
      }
      let now = state.withLock { state -> Now in
        if state.isCancelled { return .over(CancellationError()) }
        if state.read < state.chunks.count {
          let chunk = state.chunks[state.read]
          state.chunks[state.read] = []
          state.read += 1
          let wasFull = state.waitingBytes >= Self.fullBytes
          state.waitingBytes -= chunk.count
          if state.read == state.chunks.count {
            state.chunks.removeAll(keepingCapacity: true)
            state.read = 0
          }
          return .chunk(chunk, wasFull && state.waitingBytes < Self.fullBytes ? state.signal : nil)
        }
        if state.end != nil || state.failure != nil { return .over(state.failure) }
        state.reader = continuation
        return .wait
      }
      switch now {
      case .wait: break
      case .chunk(let chunk, let signal):
        signal?(.wantsMore)
        continuation.resume(returning: chunk)
      case .over(let failure):
        if let failure { continuation.resume(throwing: failure) } else { continuation.resume(returning: nil) }
      }
    }
  }

  func head() async throws -> CallHead {
    try await withCheckedThrowingContinuation { continuation in
      let known = state.withLock { state -> Result<CallHead, any Error>? in
        if let head = state.head { return .success(head) }
        if state.isCancelled { return .failure(CancellationError()) }
        if state.end != nil || state.failure != nil { return .failure(state.failure ?? Self.noHead) }
        state.headWaiters.append(continuation)
        return nil
      }
      if let known { continuation.resume(with: known) }
    }
  }

  func end() async throws -> TapeStream.End {
    try await withCheckedThrowingContinuation { continuation in
      let known = state.withLock { state -> Result<TapeStream.End, any Error>? in
        if let end = state.end { return .success(end) }
        if let failure = state.failure { return .failure(failure) }
        state.endWaiters.append(continuation)
        return nil
      }
      if let known { continuation.resume(with: known) }
    }
  }

  /// The reader goes. Nothing happens if the call has ended.
  func cancel() {
    let (signal, reader, heads) = state.withLock { state in
      guard state.end == nil, state.failure == nil, !state.isCancelled else {
        return (nil, nil, [])
          as (
            (@Sendable (Signal) -> Void)?, CheckedContinuation<[UInt8]?, any Error>?,
            [CheckedContinuation<CallHead, any Error>]
          )
      }
      state.isCancelled = true
      defer { (state.reader, state.headWaiters) = (nil, []) }
      return (state.signal, state.reader, state.headWaiters)
    }
    signal?(.cancelled)
    reader?.resume(throwing: CancellationError())
    for waiter in heads { waiter.resume(throwing: CancellationError()) }
  }
}
