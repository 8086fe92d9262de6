import TapeLoop
import TapeTypes

/// The loop's end of a `StreamPipe`: a client like a proxied one, but for the socket.
///
/// Owned by the loop's thread.
final class StreamClient: ExchangeClient {
  private let pipe: StreamPipe
  private let out: OutBuffer
  private let zeroNs: Int64
  private var exchange: Exchange?
  private var outcome: ExchangeOutcome?
  private var head: CallHead?

  init(pipe: StreamPipe, loop: RecordingLoop) {
    self.pipe = pipe
    out = OutBuffer(pool: loop.buffers)
    zeroNs = loop.now
  }

  func start(_ request: UpstreamRequest, on loop: RecordingLoop) {
    // The pipe's signals come from any thread and are answered on the loop's.
    nonisolated(unsafe) let me = self
    let isWanted = pipe.connect { signal in
      loop.post { loop in
        switch signal {
        case .wantsMore: me.flush(now: loop.now)
        case .cancelled: me.cancel(now: loop.now)
        }
      }
    }
    exchange = loop.start(request, client: self, out: out)
    if !isWanted { cancel(now: loop.now) }
  }

  func responded(_ exchange: Exchange, _ head: UpstreamHead) {
    self.head = CallHead(
      offsetNs: exchange.headOffsetNs, status: head.status, httpVersion: head.version, headers: head.headers,
      decoded: head.decoded)
  }

  func ended(_ exchange: Exchange, _ outcome: ExchangeOutcome) { self.outcome = outcome }

  func flush(now: Int64) {
    out.commit()
    if let head {
      pipe.give(head)
      self.head = nil
    }
    if pipe.hasRoom {
      out.drain { bytes in
        pipe.give(Array(bytes))
        return bytes.count
      }
      exchange?.sentSome()
    }
    guard let outcome, out.isEmpty else { return }
    exchange = nil
    self.outcome = nil
    pipe.finish(TapeStream.End(cause: outcome.cause, detail: outcome.detail), failure: Self.failure(of: outcome))
  }

  private func cancel(now: Int64) {
    guard let exchange else { return }
    self.exchange = nil
    // Bytes that came and were not read do not change how upstream ended, if it has.
    let cause = outcome?.cause ?? .clientClosed
    exchange.clientLeft(now: now, drain: false)
    out.reset()
    pipe.finish(TapeStream.End(cause: cause, detail: outcome?.detail), failure: CancellationError())
    outcome = nil
  }

  private static func failure(of outcome: ExchangeOutcome) -> TapeError? {
    switch outcome.cause {
    case .endOfBody, .clientClosed: nil
    case .archiveStopped: TapeError(.io, outcome.detail ?? "the archive takes no writes")
    case .upstreamClosed, .timeout, .upstreamFailed:
      TapeError(.network, outcome.detail ?? "upstream ended the response early")
    }
  }
}
