import Logging
import TapeHTTP
import TapeJSON
import TapeLoop
import TapeRecorder
import TapeTypes

/// Has the requests of one client's connection forwarded, and hands it what upstream answers.
///
/// Owned by the loop's thread.
final class ProxiedClient: ConnectionHandler, ExchangeClient {
  private let proxy: ProxyCore
  private let connection: ServerConnection
  private var exchange: Exchange?
  /// The body of the request at work, while it comes in.
  private var upload: UploadQueue?

  init(_ connection: ServerConnection, of proxy: ProxyCore) {
    self.connection = connection
    self.proxy = proxy
  }

  // MARK: The connection

  func begin(_ request: InboundRequest, now: Int64) {
    if request.target == "/healthz", request.method == "GET" || request.method == "HEAD" {
      let health = proxy.health
      return answer { $0.answer(health.status, json: health.json.compact) }
    }
    guard let upstream = proxy.upstreamRequest(request, now: now) else {
      let prefixes = proxy.options.routes.map(\.prefix).joined(separator: ", ")
      let message = "no upstream for this path: there are \(prefixes)"
      return answer { $0.answer(404, code: "no_upstream", message: message) }
    }
    exchange = proxy.loop.start(upstream, client: self, out: connection.out)
  }

  func begin(streaming request: InboundRequest, now: Int64) {
    guard var upstream = proxy.upstreamRequest(request, now: now) else { return begin(request, now: now) }
    let queue = UploadQueue(request.body, length: request.length)
    queue.hasRoom = { [connection] in connection.readOn() }
    (upstream.body, upstream.open.body, upstream.zeroNs, upstream.upload) = ([], [], nil, queue)
    upload = queue
    exchange = proxy.loop.start(upstream, client: self, out: connection.out)
  }

  func received(_ piece: [UInt8]) -> Bool { upload?.add(piece) ?? true }

  func bodyEnded(now: Int64) {
    upload = nil
    exchange?.bodyEnded(now: now)
  }

  /// An answer of the proxy's own.
  private func answer(_ append: (ServerConnection) -> Void) {
    append(connection)
    connection.endResponse()
    proxy.loop.touched(self)
  }

  func sentSome(now: Int64) { exchange?.sentSome() }

  func responseSent() { (exchange, upload) = (nil, nil) }

  func clientLeft(now: Int64, detail: String?) {
    exchange?.clientLeft(now: now, drain: proxy.options.drainOnAbort && upload == nil, detail: detail)
    (exchange, upload) = (nil, nil)
  }

  // MARK: The exchange

  func responded(_ exchange: Exchange, _ head: UpstreamHead) {
    let call = exchange.isTaped ? exchange.id : nil
    // The call is named anew, also where upstream is a recorder too.
    let headers =
      call == nil ? head.headers : head.headers.filter { !HeaderRules.equal($0.name, "x-tapedeck-call") }
    connection.appendHead(head.status, reason: head.reason, headers, call: call)
  }

  func ended(_ exchange: Exchange, _ outcome: ExchangeOutcome) {
    guard !connection.isClosed else { return }
    // What the archive refused to take in the same moment is not sent.
    if outcome.cause == .archiveStopped { connection.takeHeadBack() }
    guard connection.headIsOut else { return answerFailure(exchange, outcome) }
    let isClean = outcome.cause == .endOfBody
    connection.endResponse(isClean: isClean, trailers: exchange.trailers)
    if !isClean { proxy.log.info("call \(exchange.id) was cut: \(outcome.detail ?? outcome.cause.rawValue)") }
  }

  func flush(now: Int64) { connection.flush(now: now) }

  /// Upstream gave no response: the proxy says so in its own name.
  private func answerFailure(_ exchange: Exchange, _ outcome: ExchangeOutcome) {
    let call = exchange.isTaped ? exchange.id : nil
    let message = outcome.detail ?? "upstream gave no response"
    switch outcome.cause {
    case .timeout: connection.answer(504, code: "upstream_timeout", message: message, call: call)
    case .archiveStopped: connection.answer(503, code: "archive_failure", message: message, call: call)
    case _ where outcome.isOverload: connection.answer(503, code: "too_many_files", message: message, call: call)
    default: connection.answer(502, code: "upstream_failed", message: message, call: call)
    }
    connection.endResponse()
    proxy.log.warning("no response from upstream: \(message)")
  }
}
