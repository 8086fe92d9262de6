import TapeRedaction
public import TapeTypes

/// A response body that another HTTP client receives, on tape while it is read.
///
/// Its elements are those of the body, unchanged and in order. A chunk is on tape before it is handed out; of a body
/// that comes byte by byte each line is, and what is behind the last line follows at once. Nothing is read ahead, so
/// a slow reader slows the client that receives. How reading ends is how the call ends on tape: at the body's end; with
/// the error that the body throws, as cut by upstream; by leaving the loop or cancelling the task, as left by the client.
///
/// An archive that takes no writes does not disturb the reader, unless `RecorderOptions.onArchiveFailure` says so.
/// Who reads the body a second time gets whatever the body gives then, and that is not taped.
public struct TapedBody<Body: AsyncSequence>: AsyncSequence {
  public typealias Element = Body.Element
  public typealias Failure = any Error

  /// Appends the bytes of an element to the lane.
  ///
  /// - Returns: whether to wait until they are on tape.
  typealias Feeding = @Sendable (Body.Element, BodyLane) -> Bool

  /// The name of the call in the archive.
  public let callID: CallID
  private let body: Body
  private let lane: BodyLane
  private let lifetime: BodyLifetime
  private let feed: Feeding

  init(_ body: Body, callID: CallID, lane: BodyLane, feed: @escaping Feeding) {
    self.callID = callID
    self.body = body
    self.lane = lane
    self.feed = feed
    lifetime = BodyLifetime(lane)
  }

  public func makeAsyncIterator() -> Iterator {
    Iterator(base: body.makeAsyncIterator(), tape: lane.claim() ? BodyLifetime(lane) : nil, body: lifetime, feed: feed)
  }

  public struct Iterator: AsyncIteratorProtocol {
    private var base: Body.AsyncIterator
    /// nil once there is nothing more to tape.
    private var tape: BodyLifetime?
    /// The body may be a temporary that nobody else holds.
    private let body: BodyLifetime
    private let feed: Feeding

    init(base: Body.AsyncIterator, tape: BodyLifetime?, body: BodyLifetime, feed: @escaping Feeding) {
      self.base = base
      self.tape = tape
      self.body = body
      self.feed = feed
    }

    /// The next element of the body; nil at its end.
    ///
    /// - Throws: what the body throws; `TapeError` if the archive does not take the call and
    ///   `RecorderOptions.onArchiveFailure` is `stop`.
    public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws -> Body.Element? {
      guard let lane = tape?.lane else { return try await base.next(isolation: actor) }
      let element: Body.Element?
      do {
        element = try await base.next(isolation: actor)
      } catch {
        let isOurs = Task.isCancelled || error is CancellationError
        let outcome =
          isOurs
          ? ExchangeOutcome(cause: .clientClosed)
          : ExchangeOutcome(cause: .upstreamClosed, detail: Secrets.describing(error))
        try? await lane.onTape(ending: outcome, isolation: actor)
        tape = nil
        throw error
      }
      guard let element else {
        // Many sequences just end when their reader's task is cancelled.
        let outcome = ExchangeOutcome(cause: Task.isCancelled ? .clientClosed : .endOfBody)
        defer { tape = nil }
        try await lane.onTape(ending: outcome, isolation: actor)
        return nil
      }
      if feed(element, lane) { try await lane.onTape(isolation: actor) }
      return element
    }
  }
}

extension TapedBody: Sendable where Body: Sendable {}

/// Ends the call as left by the client when nobody can read its body any more.
final class BodyLifetime: Sendable {
  let lane: BodyLane

  init(_ lane: BodyLane) { self.lane = lane }

  deinit { lane.abandon() }
}
