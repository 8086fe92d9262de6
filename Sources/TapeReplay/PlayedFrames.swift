public import TapeTypes

/// One frame of a call that is played again.
public struct PlayedFrame: Sendable, Equatable {
  /// 0 for the first.
  public var index: Int
  /// Byte for byte as recorded: the block of an event stream through its blank line.
  public var bytes: [UInt8]
  /// When it arrived, ns since the start of the call; nil for captures without clock.
  public var offsetNs: Int64?
}

/// The frames of a recorded call, at its pace: none comes early, and one that is late makes none behind it later.
///
/// The time begins with the first `next`. Behind the last frame, the sequence ends as the call did: where upstream cut
/// it, fell silent or gave no answer, or the recorder died, with an error that says so. A call that its client left
/// just ends there. Each reader gets a replay of its own.
public struct PlayedFrames: AsyncSequence, Sendable {
  /// What is played: its request, head and end too.
  public let call: RecordedCall
  public let pace: ReplayPace

  public init(_ call: RecordedCall, pace: ReplayPace = .original) {
    self.call = call
    self.pace = pace
  }

  public func makeAsyncIterator() -> Iterator { Iterator(call: call, pace: pace) }

  public struct Iterator: AsyncIteratorProtocol, Sendable {
    private let call: RecordedCall
    private let pace: ReplayPace
    private var next = 0
    private var isOver = false
    private var start: ContinuousClock.Instant?

    init(call: RecordedCall, pace: ReplayPace) {
      self.call = call
      self.pace = pace
    }

    /// The next frame, when it is due; nil at the end.
    ///
    /// - Throws: `CancellationError` in a task that is cancelled; `TapeError` (`.network`) where the call broke off.
    public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws -> PlayedFrame? {
      guard !isOver else { return nil }
      let start = self.start ?? .now
      self.start = start
      let index = next
      guard index < call.frameCount else {
        // A stream that went silent before it was cut does so again.
        if pace.keepsRecordedTime, let end = call.end?.offsetNs {
          try await Self.sleep(until: start, pace.dueNs(frame: index, offsetNs: end))
        }
        isOver = true
        if let failure { throw failure }
        return nil
      }
      let offset = call.frameOffsetNs(index)
      try await Self.sleep(until: start, pace.dueNs(frame: index, offsetNs: offset))
      next += 1
      return PlayedFrame(index: index, bytes: Array(call.raw[call.frameRange(index)]), offsetNs: offset)
    }

    /// As the client of the recorded call saw it.
    private var failure: TapeError? {
      guard let end = call.end else {
        return call.isLive
          ? nil : TapeError(.network, "the recording breaks off here: its recorder did not live to see the end")
      }
      switch end.cause {
      case .endOfBody, .clientClosed: return nil
      case .upstreamClosed: return TapeError(.network, end.detail ?? "upstream cut the response here")
      case .timeout: return TapeError(.network, end.detail ?? "upstream fell silent here")
      case .upstreamFailed: return TapeError(.network, end.detail ?? "upstream gave no response")
      case .archiveStopped: return TapeError(.io, end.detail ?? "the recorder's archive took no more")
      }
    }

    private static func sleep(until start: ContinuousClock.Instant, _ nanoseconds: Int64) async throws {
      try Task.checkCancellation()
      let due = start + .nanoseconds(nanoseconds)
      while ContinuousClock.now < due { try await Task.sleep(until: due, tolerance: .zero, clock: .continuous) }
    }
  }
}
