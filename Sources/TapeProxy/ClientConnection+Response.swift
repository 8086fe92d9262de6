import Logging
import NIOHTTP1
import TapeHTTP
import TapeJSON
import TapeLoop
import TapeRecorder
import TapeTypes

/// From a request to its response.
extension ClientConnection {
  // MARK: Request

  func begin(_ request: InboundRequest, now: Int64) {
    phase = .responding
    watch([.peerClosed])
    isHead = request.method == "HEAD"
    isVersion10 = request.isVersion10
    headSent = false
    responseIsWhole = false
    resets = false
    keepsAlive = request.keepsAlive
    let upstream = proxy.upstreamRequest(request, now: now)
    exchange = proxy.loop.start(upstream, client: self, out: out)
  }

  /// Answers a request that is not taken, and closes.
  func refuse(_ refusal: RequestRefusal) {
    phase = .responding
    watch([.peerClosed])
    keepsAlive = false
    isHead = false
    respond(refusal.status, code: refusal.code, message: refusal.message, call: nil)
    responseIsWhole = true
    proxy.loop.touched(self)
  }

  // MARK: Response

  func responded(_ exchange: Exchange, _ head: UpstreamHead) {
    headSent = true
    var headers = head.headers
    let length = headers.first("content-length")
    if isHead || head.status == 204 || head.status == 304 {
      framing = .none
    } else if length != nil {
      framing = .length
    } else if isVersion10 {
      framing = .close
      keepsAlive = false
    } else {
      framing = .chunks
      headers.append(HeaderField("Transfer-Encoding", "chunked"))
    }
    let reason =
      head.reason.isEmpty ? HTTPResponseStatus(statusCode: head.status).reasonPhrase : head.reason
    append(head.status, reason, headers, call: exchange.isTaped ? exchange.id : nil)
    if framing == .chunks { out.beginChunked() }
  }

  func ended(_ exchange: Exchange, _ outcome: ExchangeOutcome) {
    guard phase == .responding else { return }
    responseIsWhole = true
    guard headSent else { return answerFailure(exchange, outcome) }
    let isClean = outcome.cause == .endOfBody
    out.endBody(isClean: isClean)
    if !isClean {
      keepsAlive = false
      resets = framing == .close
      proxy.log.info("call \(exchange.id) was cut: \(outcome.detail ?? outcome.cause.rawValue)")
    }
  }

  /// Upstream gave no response: the proxy says so in its own name.
  private func answerFailure(_ exchange: Exchange, _ outcome: ExchangeOutcome) {
    let call = exchange.isTaped ? exchange.id : nil
    let message = outcome.detail ?? "upstream gave no response"
    switch outcome.cause {
    case .timeout: respond(504, code: "upstream_timeout", message: message, call: call)
    case .archiveStopped: respond(503, code: "archive_failure", message: message, call: call)
    default: respond(502, code: "upstream_failed", message: message, call: call)
    }
    proxy.log.warning("no response from upstream: \(message)")
  }

  /// A response of the proxy's own.
  private func respond(_ status: Int, code: String, message: String, call: CallID?) {
    let error: JSONValue = [
      "error": ["message": .string(message), "code": .string(code), "source": "tapedeck"]
    ]
    let body = error.compact
    let headers = [
      HeaderField("Content-Type", "application/json"), HeaderField("Content-Length", String(body.count)),
    ]
    append(status, HTTPResponseStatus(statusCode: status).reasonPhrase, headers, call: call)
    if !isHead { out.append(body) }
  }

  private func append(_ status: Int, _ reason: String, _ headers: [HeaderField], call: CallID?) {
    var text = "HTTP/1.1 \(status) \(reason)\r\n"
    for field in headers where call == nil || !HeaderRules.equal(field.name, "x-tapedeck-call") {
      text += "\(field.name): \(field.value)\r\n"
    }
    if let call { text += "X-Tapedeck-Call: \(call)\r\n" }
    if proxy.isStopping { keepsAlive = false }
    if !keepsAlive {
      text += "Connection: close\r\n"
    } else if isVersion10 {
      text += "Connection: keep-alive\r\n"
    }
    text += "\r\n"
    text.withUTF8 { out.append(UnsafeRawBufferPointer($0)) }
  }
}
