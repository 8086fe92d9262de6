import Synchronization
import TapeLoop
import TapeTypes

/// The hand-over of one body from the task that reads it to the loop's thread, which tapes it.
final class BodyLane: Sendable {
  /// Bytes and what became of the body, since the loop last looked.
  struct Load {
    var bytes: [UInt8] = []
    /// For each read the end of its bytes in `bytes`, and when it returned, monotonic ns.
    var reads: [(end: Int, ns: Int64)] = []
    var outcome: ExchangeOutcome?
    /// Resumed when all of it is on tape, as far as the archive takes it.
    var waiter: CheckedContinuation<Void, any Error>?

    var isEmpty: Bool { bytes.isEmpty && outcome == nil && waiter == nil }
  }

  private struct State {
    var load = Load()
    /// Has the loop take the load; nil before the call is open and once it has ended.
    var signal: (@Sendable () -> Void)?
    var isSignalled = false
    var isClaimed = false
    /// It is known how the body ended.
    var hasEnded = false
    /// Nothing is taped any more.
    var isClosed = false
    /// Why nothing is taped any more, where the reader must be told.
    var refusal: TapeError?
  }

  /// With so much of a line unwritten, a body that comes byte by byte waits for the tape.
  private static let mostBytes = 4096

  private let state = Mutex(State())

  // MARK: The reader's side

  /// - Returns: true for the first who asks: the body is taped once.
  func claim() -> Bool {
    state.withLock { state in
      defer { state.isClaimed = true }
      return !state.isClaimed
    }
  }

  /// Takes one read, stamped with the time now.
  ///
  /// - Returns: whether there is anything to wait for.
  func add(_ bytes: [UInt8]) -> Bool {
    guard !bytes.isEmpty else { return false }
    let now = MonotonicClock.nowNs
    return state.withLock { state in
      guard !state.isClosed else { return state.refusal != nil }
      if state.load.bytes.isEmpty { state.load.bytes = bytes } else { state.load.bytes += bytes }
      state.load.reads.append((state.load.bytes.count, now))
      return true
    }
  }

  /// Takes one byte. The loop fetches it at once, whoever waits.
  ///
  /// - Returns: whether it ends a line, or so much has come that its reader has to wait.
  func add(_ byte: UInt8) -> Bool {
    let endsLine = byte == 0x0A || byte == 0x0D
    let (isDue, signal) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
      guard !state.isClosed else { return (state.refusal != nil, nil) }
      let isFirst = state.load.bytes.isEmpty
      state.load.bytes.append(byte)
      let count = state.load.bytes.count
      // What ends a frame ends a line: of other bytes the exact time is no matter.
      if isFirst || endsLine {
        state.load.reads.append((count, MonotonicClock.nowNs))
      } else {
        state.load.reads[state.load.reads.count - 1].end = count
      }
      guard !endsLine, count < Self.mostBytes else { return (true, nil) }
      return (false, Self.signalling(&state))
    }
    signal?()
    return isDue
  }

  /// Nobody reads on. Nothing happens if the body is over.
  func abandon() {
    let signal = state.withLock { state -> (@Sendable () -> Void)? in
      guard !state.hasEnded else { return nil }
      state.hasEnded = true
      state.load.outcome = ExchangeOutcome(cause: .clientClosed)
      return Self.signalling(&state)
    }
    signal?()
  }

  /// Waits until all that was taken is on tape, as far as the archive takes it.
  ///
  /// - Parameter outcome: how the body ended, if it has.
  /// - Throws: `TapeError` if the archive must have all and does not.
  func onTape(ending outcome: ExchangeOutcome? = nil, isolation actor: isolated (any Actor)?) async throws {
    try await withCheckedThrowingContinuation(isolation: actor) { continuation in
      let (isOver, refusal, signal) = state.withLock { state -> (Bool, TapeError?, (@Sendable () -> Void)?) in
        guard !state.isClosed else { return (true, state.refusal, nil) }
        if let outcome, !state.hasEnded {
          state.hasEnded = true
          state.load.outcome = outcome
        }
        state.load.waiter = continuation
        return (false, nil, Self.signalling(&state))
      }
      signal?()
      if isOver { Self.resume(continuation, refusal) }
    }
  }

  private static func resume(_ waiter: CheckedContinuation<Void, any Error>?, _ refusal: TapeError?) {
    if let refusal { waiter?.resume(throwing: refusal) } else { waiter?.resume() }
  }

  private static func signalling(_ state: inout State) -> (@Sendable () -> Void)? {
    guard !state.isSignalled, let signal = state.signal else { return nil }
    state.isSignalled = true
    return signal
  }

  // MARK: The loop's side

  /// The call is open. What has come already is signalled at once.
  func connect(_ signal: @escaping @Sendable () -> Void) {
    let isDue = state.withLock { state in
      state.signal = signal
      state.isSignalled = !state.load.isEmpty
      return state.isSignalled
    }
    if isDue { signal() }
  }

  func take() -> Load {
    state.withLock { state in
      state.isSignalled = false
      defer { state.load = Load() }
      return state.load
    }
  }

  /// What was taken with `take` is on tape, or will not be.
  func settle(_ load: Load) { Self.resume(load.waiter, state.withLock { $0.refusal }) }

  /// Nothing more is taped.
  ///
  /// - Parameter refusal: what the reader is told; nil lets it go on.
  func close(_ refusal: TapeError?) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      state.signal = nil
      state.isClosed = true
      state.hasEnded = true
      state.refusal = refusal
      defer { state.load = Load() }
      return state.load.waiter
    }
    Self.resume(waiter, refusal)
  }
}
