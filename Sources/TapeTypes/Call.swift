/// What is known of a call when it starts. Secrets never get here: whoever makes a
/// `CallOpen` has removed them (see TapeRedaction's `Secrets`).
public struct CallOpen: Sendable, Equatable {
  /// How a call came to be on tape.
  public enum Origin: String, Sendable { case proxy, record, library, `import` }

  public var id: CallID
  /// Wall clock in ns since 1970, taken when the last request byte was received (proxy)
  /// or sent (record). Zero of every offset of the call.
  public var startedAtNs: Int64
  public var origin: Origin
  /// Scheme, host and port that the request went to, e.g. `https://api.orq.ai`; empty if not known.
  public var upstream: String
  public var method: String
  /// Path and query, secret query values replaced.
  public var path: String
  /// Request headers in order. Secret values are replaced by `[redacted]`.
  public var headers: [HeaderField]
  /// Request body as sent upstream.
  public var body: [UInt8]
  /// Keyed hash of the credential that the request carried, to tell keys apart; nil without one.
  public var keyFingerprint: String?
  /// False for captures without clock: then no frame of the call has a time.
  public var hasTimes: Bool
  /// Names of what was changed or removed before taping, e.g. `header:authorization`, `ensure_usage`.
  public var redactions: [String]
  /// 16 random bytes that keep a leaf hash from being guessed back.
  public var salt: [UInt8]

  public init(
    id: CallID, startedAtNs: Int64, origin: Origin, upstream: String = "", method: String = "POST", path: String = "",
    headers: [HeaderField] = [], body: [UInt8] = [], keyFingerprint: String? = nil, hasTimes: Bool = true,
    redactions: [String] = [], salt: [UInt8]
  ) {
    self.id = id
    self.startedAtNs = startedAtNs
    self.origin = origin
    self.upstream = upstream
    self.method = method
    self.path = path
    self.headers = headers
    self.body = body
    self.keyFingerprint = keyFingerprint
    self.hasTimes = hasTimes
    self.redactions = redactions
    self.salt = salt
  }
}

/// The response head as the client got it.
public struct CallHead: Sendable, Equatable {
  /// ns since `CallOpen.startedAtNs` at which the head was complete; nil for captures without clock.
  public var offsetNs: Int64?
  public var status: Int
  /// `1.0`, `1.1`, `2`; empty if not known.
  public var httpVersion: String
  public var headers: [HeaderField]
  /// The content coding that the recorder removed although upstream was asked for none, e.g. `gzip`.
  public var decoded: String?

  public init(
    offsetNs: Int64?, status: Int, httpVersion: String = "", headers: [HeaderField] = [], decoded: String? = nil
  ) {
    self.offsetNs = offsetNs
    self.status = status
    self.httpVersion = httpVersion
    self.headers = headers
    self.decoded = decoded
  }
}

/// What the transport saw at the end of a call. Evidence: the state is derived from it, not stored.
public struct CallEnd: Sendable, Equatable {
  public enum Cause: String, Sendable {
    /// Upstream ended the body as HTTP says it should.
    case endOfBody = "end_of_body"
    /// The client went away first.
    case clientClosed = "client_closed"
    /// Upstream went away inside the body.
    case upstreamClosed = "upstream_closed"
    /// A deadline of the recorder's passed.
    case timeout
    /// Upstream gave no response: refused, not resolved, TLS failed, not HTTP.
    case upstreamFailed = "upstream_failed"
    /// `--on-archive-failure stop` ended the call.
    case archiveStopped = "archive_stopped"
  }

  /// ns since the call's start; nil for captures without clock.
  public var offsetNs: Int64?
  public var cause: Cause
  /// One sentence on what failed; nil when nothing did.
  public var detail: String?
  /// When the client closed, if it did, also when upstream was drained to its end afterwards.
  public var clientClosedNs: Int64?
  /// Frames and bytes handed to the client, taped or not.
  public var frames: Int
  public var bytes: Int
  /// SHA-256 of the raw response bytes; nil if some of them are not on tape.
  public var sha256: [UInt8]?
  /// What the archive could not take (`--on-archive-failure pass`).
  public var gapFrames: Int
  public var gapBytes: Int
  /// The stream's `[DONE]` reached the client. Kept where the archive has a gap: there the frames cannot tell.
  public var sawDone: Bool
  /// By how much the wall clock moved against the monotonic one during the call, ns; 0 if under 1 ms.
  public var clockStepNs: Int64

  public init(
    offsetNs: Int64?, cause: Cause, detail: String? = nil, clientClosedNs: Int64? = nil, frames: Int, bytes: Int,
    sha256: [UInt8]?, gapFrames: Int = 0, gapBytes: Int = 0, sawDone: Bool = false,
    clockStepNs: Int64 = 0
  ) {
    self.offsetNs = offsetNs
    self.cause = cause
    self.detail = detail
    self.clientClosedNs = clientClosedNs
    self.frames = frames
    self.bytes = bytes
    self.sha256 = sha256
    self.gapFrames = gapFrames
    self.gapBytes = gapBytes
    self.sawDone = sawDone
    self.clockStepNs = clockStepNs
  }
}

/// What is known to be missing of a call that has no end record to say it.
public struct CallLoss: Sendable, Equatable {
  /// What the archive could not take (`--on-archive-failure pass`).
  public var gapFrames: Int
  public var gapBytes: Int
  /// Frames that were on tape once: what had them was damaged.
  public var missingFrames: Int

  public init(gapFrames: Int = 0, gapBytes: Int = 0, missingFrames: Int = 0) {
    self.gapFrames = gapFrames
    self.gapBytes = gapBytes
    self.missingFrames = missingFrames
  }

  public var isNothing: Bool { gapFrames == 0 && gapBytes == 0 && missingFrames == 0 }
}

/// One call as the archive gives it back.
public struct RecordedCall: Sendable, Equatable {
  public var open: CallOpen
  /// nil if no response came.
  public var head: CallHead?
  /// nil if the recorder died, or has not finished.
  public var end: CallEnd?
  /// What is missing of a call without end; nil if nothing is known to be.
  public var loss: CallLoss?
  /// The response body, byte for byte.
  public var raw: [UInt8]
  /// For each frame the offset in `raw` behind its last byte; rising, the last one is `raw.count`.
  public var frameEnds: [Int]
  /// For each frame its arrival in ns since the call's start; empty for captures without clock.
  public var frameOffsetsNs: [Int64]
  /// True while the writer that records the call is alive and the call has no end.
  public var isLive: Bool

  public init(
    open: CallOpen, head: CallHead? = nil, end: CallEnd? = nil, loss: CallLoss? = nil, raw: [UInt8] = [],
    frameEnds: [Int] = [], frameOffsetsNs: [Int64] = [], isLive: Bool = false
  ) {
    self.open = open
    self.head = head
    self.end = end
    self.loss = loss
    self.raw = raw
    self.frameEnds = frameEnds
    self.frameOffsetsNs = frameOffsetsNs
    self.isLive = isLive
  }

  public var frameCount: Int { frameEnds.count }

  /// Where frame `index` lies in `raw`.
  public func frameRange(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : frameEnds[index - 1])..<frameEnds[index]
  }

  /// Arrival of frame `index`; nil for captures without clock.
  public func frameOffsetNs(_ index: Int) -> Int64? {
    frameOffsetsNs.isEmpty ? nil : frameOffsetsNs[index]
  }
}
