import Logging
import TapeLoop
import TapeRedaction
import TapeTypes

/// Bodies that another HTTP client receives.
extension TapeRecorder {
  /// Tapes a response while its body is read; for bodies that come in chunks of bytes (`Data`, `[UInt8]`, `ByteBufferView`).
  ///
  /// - Parameters:
  ///   - body: what the HTTP client gives. Read the sequence that is returned instead of it.
  ///   - request: what was asked. Its credentials do not get on tape.
  ///   - status: the response's.
  ///   - headers: the response's. If no `Content-Type` is among them, the body counts as an event stream. A
  ///     `Content-Encoding` counts as undone by the client, if the body reads like text.
  ///   - sent: when the request was sent: times on tape count from it. Note it before you send; otherwise it is now.
  public func tape<Body: AsyncSequence>(
    _ body: Body, of request: TapeRequest, status: Int, headers: [HeaderField] = [],
    sent: ContinuousClock.Instant = .now
  ) -> TapedBody<Body> where Body.Element: Sequence<UInt8> & SendableMetatype {
    tape(body, of: request, status: status, headers: headers, sent: sent) { $0 }
  }

  /// The same for bodies that come byte by byte, as `URLSession.AsyncBytes` does.
  public func tape<Body: AsyncSequence>(
    _ body: Body, of request: TapeRequest, status: Int, headers: [HeaderField] = [],
    sent: ContinuousClock.Instant = .now
  ) -> TapedBody<Body> where Body.Element == UInt8 {
    let (id, lane) = open(request, status, headers, sent)
    return TapedBody(body, callID: id, lane: lane) { byte, lane in lane.add(byte) }
  }

  /// The same for bodies of any elements that have bytes: `{ $0.readableBytesView }` for NIO's `ByteBuffer`.
  public func tape<Body: AsyncSequence, Bytes: Sequence<UInt8> & SendableMetatype>(
    _ body: Body, of request: TapeRequest, status: Int, headers: [HeaderField] = [],
    sent: ContinuousClock.Instant = .now, bytes: @escaping @Sendable (Body.Element) -> Bytes
  ) -> TapedBody<Body> {
    let (id, lane) = open(request, status, headers, sent)
    return TapedBody(body, callID: id, lane: lane) { element, lane in lane.add(Array(bytes(element))) }
  }

  private func open(
    _ request: TapeRequest, _ status: Int, _ headers: [HeaderField], _ sent: ContinuousClock.Instant
  ) -> (CallID, BodyLane) {
    let age = max(0, (ContinuousClock.now - sent).nanoseconds)
    let now = MonotonicClock.nowNs
    let wallNs = loop.wallNow - age
    let upstream = try? UpstreamURL(request.url)
    var open = CallOpen(
      id: loop.newCallID(wallNs: wallNs), startedAtNs: wallNs, origin: loop.options.origin,
      upstream: upstream?.origin ?? "", method: request.method, path: upstream?.target ?? request.url,
      headers: request.headers, salt: RecordingLoop.newSalt())
    open.body = request.body
    var head = CallHead(offsetNs: age, status: status, headers: headers)
    if headers.first("content-type") == nil {
      head.headers.append(HeaderField("Content-Type", "text/event-stream"))
      open.redactions.append(Importer.assumedHead)
    }
    let lane = BodyLane()
    let isOpen = post { [open, head] loop in
      nonisolated(unsafe) let tape = BodyTape(open, zeroNs: now - age, head: head, lane: lane, loop: loop)
      lane.connect { loop.post { _ in tape.turn() } }
    }
    if !isOpen {
      let refusal = TapeError(.failed, "the recorder is closed")
      loop.options.logger.error("not on tape: \(refusal)")
      lane.close(loop.options.onArchiveFailure == .stop ? refusal : nil)
    }
    return (open.id, lane)
  }
}

extension Duration {
  /// As far as 64 bits go.
  fileprivate var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isMore) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isOver || isMore ? .max : sum
  }
}
