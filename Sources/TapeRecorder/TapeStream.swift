public import TapeTypes

/// A response while it arrives: chunks of bytes in arrival order, each on tape before it is handed out.
///
/// Chunks are not frames: join them and the body is back byte for byte. Reading slower than
/// upstream sends pauses upstream. Leaving the loop, cancelling its task or `cancel()` aborts
/// the call, which is then on tape as ended by the client. One reader only.
public struct TapeStream: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  /// How a call ended.
  public struct End: Sendable, Equatable {
    public var cause: CallEnd.Cause
    /// One sentence on what failed; nil when nothing did.
    public var detail: String?
  }

  /// The name of the call in the archive, known before anything is sent.
  public let callID: CallID
  private let pipe: StreamPipe
  private let lifetime: StreamLifetime

  init(callID: CallID, pipe: StreamPipe) {
    self.callID = callID
    self.pipe = pipe
    lifetime = StreamLifetime(pipe)
  }

  /// The response head, as soon as it is there. Its status may be an error: the body then tells which.
  ///
  /// - Throws: `TapeError` (`.network`) if upstream gave no response; `CancellationError` if the call was cancelled.
  public var head: CallHead {
    get async throws { try await pipe.head() }
  }

  /// How the call ended, once it has: after its last chunk was read, or when it failed or was cancelled.
  ///
  /// - Throws: `TapeError` if the call was never made.
  public var end: End {
    get async throws { try await pipe.end() }
  }

  /// Aborts the call.
  public func cancel() { pipe.cancel() }

  public func makeAsyncIterator() -> Iterator { Iterator(pipe: pipe, stream: lifetime) }

  public struct Iterator: AsyncIteratorProtocol {
    private let pipe: StreamPipe
    private let lifetime: StreamLifetime
    /// The stream may be a temporary that nobody else holds.
    private let streamLifetime: StreamLifetime

    init(pipe: StreamPipe, stream: StreamLifetime) {
      self.pipe = pipe
      streamLifetime = stream
      lifetime = StreamLifetime(pipe)
    }

    /// The next chunk; nil at the end of the body.
    ///
    /// - Throws: `TapeError` if the call failed or the body was cut off, after all chunks that came;
    ///   `CancellationError` if the call was cancelled.
    public mutating func next() async throws -> [UInt8]? {
      let pipe = self.pipe
      return try await withTaskCancellationHandler {
        try await pipe.next()
      } onCancel: {
        pipe.cancel()
      }
    }
  }
}

/// Aborts a call when the last copy of its stream, or of its iterator, goes: nobody can read it any more.
final class StreamLifetime: Sendable {
  private let pipe: StreamPipe

  init(_ pipe: StreamPipe) { self.pipe = pipe }

  deinit { pipe.cancel() }
}
