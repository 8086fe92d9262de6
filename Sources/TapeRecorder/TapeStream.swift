public import TapeTypes

/// A response while it arrives: chunks of bytes in arrival order, each on tape before it is handed out.
///
/// Chunks are not frames: join them and the body is back byte for byte. Reading slower than
/// upstream sends pauses upstream. Leaving the loop, or cancelling its task, aborts the call,
/// which is then on tape as `client_abort`. One reader only.
public struct TapeStream: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  /// The name of the call in the archive, known before anything is sent.
  public let callID: CallID

  init(callID: CallID) {
    self.callID = callID
  }

  /// The response head, as soon as it is there.
  ///
  /// - Throws: `TapeError` (`.network`) if upstream gave no response.
  public var head: CallHead {
    get async throws { throw TapeError(.failed, "not built yet") }
  }

  /// How the call ended, once it has.
  public var end: CallEnd {
    get async throws { throw TapeError(.failed, "not built yet") }
  }

  public func makeAsyncIterator() -> Iterator { Iterator() }

  public struct Iterator: AsyncIteratorProtocol {
    public mutating func next() async throws -> [UInt8]? { nil }
  }
}
