import TapeTypes

/// Makes HTTP calls and tapes their responses while they stream.
///
/// One recorder is one writer of the store, with a thread of its own. Any number of
/// calls may run at a time.
public final class TapeRecorder: Sendable {
  /// - Parameter store: Directory of the store; made if it is missing.
  /// - Throws: `TapeError` if the store cannot be written.
  public init(store: String, options: RecorderOptions = RecorderOptions()) throws {}

  /// Starts a call. Errors of the call come out of the stream that is returned.
  public func stream(_ request: TapeRequest) -> TapeStream {
    TapeStream(callID: .init(milliseconds: 0))
  }

  /// Waits for the calls that run, syncs and closes the journal. No call can be started afterwards.
  public func close() {}
}
