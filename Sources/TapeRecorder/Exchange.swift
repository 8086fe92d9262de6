import CCurl
package import TapeLoop
import TapeRedaction
package import TapeTypes

/// One request to upstream and its response, taped if it is a generation or a stream.
///
/// Owned by the loop's thread. libcurl's callbacks come here: they stage records and append
/// to `out`, nothing more; writing and sending happen once a batch (`RecordingLoop`). What is
/// touched for every frame goes without exclusivity checks, which would cost more than the work.
package final class Exchange {
  /// The name that the call has on tape, if it gets there.
  package let id: CallID
  /// Where the response body goes.
  package let out: OutBuffer
  /// The final head has come.
  private var hasHead = false
  /// When upstream was last heard of, monotonic ns.
  @exclusivity(unchecked) private(set) var lastByteNs: Int64
  /// When the client went away although upstream was still at it.
  private(set) var clientClosedNs: Int64?
  /// Where the loop keeps it.
  var index = -1

  private let loop: RecordingLoop
  @exclusivity(unchecked) private var client: (any ExchangeClient)?
  private var request: UpstreamRequest
  @exclusivity(unchecked) private(set) var tape: CallTape?
  private var transfer: CurlTransfer?
  @exclusivity(unchecked) private var isPaused = false
  private var isOver = false
  /// Why the transfer is made to fail, if it is not libcurl's own finding.
  private var verdict: ExchangeOutcome?

  /// More than this unsent to the client, and upstream is paused …
  private static let pauseBytes = 1 << 20
  /// … until it is no more than this.
  private static let resumeBytes = 256 << 10
  /// How long upstream is read on after a client went away behind `[DONE]`.
  private static let drainNs: Int64 = 10_000_000_000

  init(_ request: UpstreamRequest, client: any ExchangeClient, out: OutBuffer, loop: RecordingLoop) {
    id = request.open.id
    self.request = request
    self.client = client
    self.out = out
    self.loop = loop
    lastByteNs = loop.now
  }

  /// When the head came, ns since the call's start.
  private(set) var headOffsetNs: Int64 = 0

  package var isTaped: Bool { tape != nil }

  /// Fields behind the body.
  package private(set) var trailers: [HeaderField] = []

  // MARK: Start

  /// Opens the tape where that is due already, and hands the request to libcurl.
  func start() {
    if request.isGeneration, let zero = request.zeroNs {
      openTape(zeroNs: zero)
      if loop.options.onArchiveFailure == .stop, loop.isArchiveFailing, !loop.flushJournal() {
        return loop.later { $0.stop(self) }
      }
    }
    guard let transfer = CurlTransfer(request, owner: self, loop: loop) else {
      verdict = ExchangeOutcome(cause: .upstreamFailed, detail: "libcurl takes no more transfers")
      return loop.later { _ in self.finish(CURLE_OUT_OF_MEMORY) }
    }
    self.transfer = transfer
    request.upload?.goOn = { [weak self, loop] in loop.later { _ in self?.transfer?.sendOn() } }
    // libcurl and the tape have copies.
    if request.zeroNs != nil { request.body = [] }
    request.headers = []
  }

  private func openTape(zeroNs: Int64) {
    guard tape == nil else { return }
    var open = request.open
    if request.zeroNs == nil, request.upload == nil { open.startedAtNs = loop.wallNs(at: zeroNs) }
    if let upload = request.upload {
      open.body = Redactor.placeholder(bytes: upload.total, isEvent: false)
      open.redactions.append("request:large")
    }
    tape = CallTape(
      open, zeroNs: zeroNs, journal: loop.journal, tally: loop.tally, redactor: loop.redactor, clock: loop.clock)
    loop.counters.opened()
    request.open.body = []
    request.open.headers = []
  }

  // MARK: What libcurl says

  /// The request's last byte is sent.
  func sent() {
    guard request.zeroNs == nil, tape == nil, request.upload == nil else { return }
    let now = MonotonicClock.nowNs
    openTape(zeroNs: now)
    request.zeroNs = now
  }

  /// The client has sent the last byte of a body that went upstream while it came in.
  package func bodyEnded(now: Int64) {
    if request.zeroNs == nil { request.zeroNs = now }
    lastByteNs = now
    request.upload?.end()
  }

  /// - Returns: false if the transfer must not go on.
  func received(head received: UpstreamHead) -> Bool {
    // The event at work may have begun long before this read: libcurl sends and reads in one.
    let now = MonotonicClock.nowNs
    lastByteNs = now
    if request.zeroNs == nil { sent() }
    let zeroNs = min(request.zeroNs ?? now, now)
    request.zeroNs = zeroNs
    var fault = ""
    guard let checked = UpstreamHeadRules.checked(received, overTLS: request.upstream.scheme == .https, fault: &fault)
    else {
      verdict = ExchangeOutcome(cause: .upstreamFailed, detail: "\(request.upstream.origin) \(fault)")
      return false
    }
    guard let head = withoutCoding(checked) else { return false }
    hasHead = true
    let isStream = HeaderRules.mediaType(head.headers.first("content-type")) == "text/event-stream"
    if isStream, tape == nil {
      openTape(zeroNs: zeroNs)
    } else if tape == nil {
      request.open.body = []
      request.open.headers = []
      loop.counters.passed()
    }
    headOffsetNs = now - zeroNs
    if let tape {
      tape.head(
        CallHead(
          offsetNs: headOffsetNs, status: head.status, httpVersion: head.version,
          headers: Secrets.clean(head.headers.filter { !HeaderRules.equal($0.name, "x-tapedeck-call") }),
          decoded: head.decoded))
    }
    client?.responded(self, head)
    touch()
    return true
  }

  /// - Returns: false if the transfer must not go on.
  func received(body bytes: UnsafeRawBufferPointer) -> Bool {
    guard hasHead else {
      verdict = ExchangeOutcome(
        cause: .upstreamFailed, detail: "\(request.upstream.origin) answers with a status line that is none")
      return false
    }
    let now = MonotonicClock.nowNs
    lastByteNs = now
    tape?.body(bytes, now: now)
    guard client != nil else { return true }
    out.append(bytes)
    touch()
    if out.unsent > Self.pauseBytes, !isPaused {
      isPaused = true
      transfer?.pause()
    }
    return true
  }

  func received(trailer: HeaderField) {
    if HeaderRules.isTrailer(trailer.name), UpstreamHeadRules.isField(trailer) { trailers.append(trailer) }
  }

  /// libcurl is done with the transfer.
  func finish(_ code: CURLcode) {
    if let verdict { return close(verdict) }
    if code == CURLE_OK {
      // libcurl takes the end of the connection inside of a head for the end of a response.
      guard !hasHead else { return close(ExchangeOutcome(cause: .endOfBody)) }
      let detail = "\(request.upstream.origin) closed the connection inside the head of its answer"
      return close(ExchangeOutcome(cause: .upstreamFailed, detail: detail))
    }
    let failure = transfer?.failure(code, origin: request.upstream.origin, options: loop.options)
    let cause: CallEnd.Cause =
      hasHead ? .upstreamClosed : failure?.isTimeout == true ? .timeout : .upstreamFailed
    close(
      ExchangeOutcome(cause: cause, detail: failure?.sentence, isOverload: failure?.isDescriptorShortage ?? false))
  }

  /// What upstream compressed although asked not to is decoded by libcurl; the head then says so.
  /// nil for a coding that libcurl cannot undo.
  private func withoutCoding(_ head: UpstreamHead) -> UpstreamHead? {
    var head = head
    head.headers = HeaderRules.endToEnd(head.headers)
    guard let coding = head.headers.first("content-encoding")?.lowercased(), coding != "identity", !coding.isEmpty,
      request.method != "HEAD", head.status != 204, head.status != 304
    else { return head }
    let known = coding.split(separator: ",").allSatisfy { CurlTransfer.codings.contains($0.filter { $0 != " " }) }
    guard known else {
      verdict = ExchangeOutcome(
        cause: .upstreamFailed,
        detail: "\(request.upstream.origin) encodes the response as \(coding), which cannot be undone")
      return nil
    }
    head.headers.removeAll { ["content-encoding", "content-length"].contains($0.name.lowercased()) }
    head.decoded = coding
    return head
  }

  /// Has the client flushed behind this batch.
  private func touch() {
    guard touchedBatch != loop.batch, let client else { return }
    touchedBatch = loop.batch
    loop.touched(client)
  }

  @exclusivity(unchecked) private var touchedBatch = -1

  // MARK: What the client says

  /// The client has taken bytes; upstream may be read on.
  package func sentSome() {
    guard isPaused, out.unsent <= Self.resumeBytes else { return }
    isPaused = false
    // libcurl may deliver what it holds at once, so not while this batch is being sent.
    loop.later { _ in self.transfer?.resume() }
  }

  /// The client is gone. Upstream is aborted, unless the client had all it wanted to read, or
  /// the caller wants every generation whole (`drainOnAbort`).
  package func clientLeft(now: Int64, drain: Bool, detail: String? = nil) {
    guard !isOver else { return }
    clientClosedNs = now
    client = nil
    out.reset()
    guard let tape, tape.sawDone || drain else {
      return stop(ExchangeOutcome(cause: .clientClosed, detail: detail))
    }
    isDraining = !drain
    if isPaused {
      isPaused = false
      transfer?.resume()
    }
  }

  /// Bounded time to read on behind `[DONE]`.
  private var isDraining = false

  // MARK: The end

  /// Ends the exchange if a deadline of its own has passed.
  func checkDeadlines(now: Int64) {
    if isDraining, let closed = clientClosedNs, now - closed > Self.drainNs {
      return stop(ExchangeOutcome(cause: .clientClosed, detail: nil))
    }
    let limit = loop.options.idleTimeoutSeconds
    // While upstream has taken all that came in, it is the client that is waited for.
    if let upload = request.upload, upload.isWaited { return }
    let heardNs = max(lastByteNs, request.upload?.takenNs ?? .min)
    guard limit > 0, !isPaused, Double(now - heardNs) > limit * 1e9 else { return }
    stop(
      ExchangeOutcome(
        cause: .timeout,
        detail: "nothing from \(request.upstream.origin) for \(UpstreamFailure.seconds(limit)) s"))
  }

  /// Ends the transfer from this side. Not from inside a libcurl callback.
  func stop(_ outcome: ExchangeOutcome) {
    guard !isOver else { return }
    close(outcome)
  }

  private func close(_ outcome: ExchangeOutcome) {
    guard !isOver else { return }
    isOver = true
    transfer?.release()
    transfer = nil
    if tape == nil, request.isGeneration { openTape(zeroNs: request.zeroNs ?? loop.now) }
    if let tape {
      tape.end(outcome.cause, detail: outcome.detail, clientClosedNs: clientClosedNs, now: max(loop.now, lastByteNs))
      loop.counters.closed()
    }
    loop.forget(self)
    let client = self.client
    self.client = nil
    client?.ended(self, outcome)
    if let client { loop.touched(client) }
  }
}
