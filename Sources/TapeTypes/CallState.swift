/// How a call ended, derived from the evidence on tape (`schema/catalogue.sql`, column `state`).
public enum CallState: String, Sendable, CaseIterable {
  case done
  case clientAbort = "client_abort"
  case upstreamCut = "upstream_cut"
  case upstreamError = "upstream_error"
  case timeout
  case lost
  case open

  /// The first that holds.
  ///
  /// - Parameters:
  ///   - isComplete: the generation says of itself that it ended, and carries no error frame.
  ///   - hasErrorFrame: a frame of the stream is an error.
  public init(head: CallHead?, end: CallEnd?, isLive: Bool, isComplete: Bool, hasErrorFrame: Bool) {
    guard let end else {
      self = isLive ? .open : .lost
      return
    }
    let clientLeftFirst = head == nil && end.cause == .clientClosed
    if end.cause == .upstreamFailed || hasErrorFrame || (head?.status ?? 0) >= 400 || (head == nil && !clientLeftFirst)
    {
      self = .upstreamError
    } else if isComplete {
      self = .done
    } else if end.cause == .clientClosed || end.clientClosedNs != nil {
      // Also when upstream was read on to an end that was none.
      self = .clientAbort
    } else {
      self = end.cause == .timeout ? .timeout : .upstreamCut
    }
  }

  /// Reports count these as errors.
  public var isError: Bool {
    switch self {
    case .upstreamError, .upstreamCut, .timeout, .lost: true
    case .done, .clientAbort, .open: false
    }
  }
}
