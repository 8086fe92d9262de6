internal import NIOHTTP1
package import TapeJSON
internal import TapeLoop
package import TapeTypes

/// How the end of a response's body is told to the client.
package enum ResponseFraming { case none, length, chunks, close }

/// What goes in front of a body.
extension ServerConnection {
  /// Whether a body is to be appended.
  package var hasBody: Bool { framing != .none }

  /// Appends the head, with `Transfer-Encoding` and `Connection` as this client needs them.
  ///
  /// - Parameters:
  ///   - reason: the status's own if empty.
  ///   - headers: end-to-end fields. With `Content-Length` among them the body has that many bytes.
  ///   - call: what `X-Tapedeck-Call` names.
  package func appendHead(_ status: Int, reason: String = "", _ headers: [HeaderField], call: CallID? = nil) {
    headIsOut = true
    framing =
      isHead || status == 204 || status == 304
      ? .none : headers.first("content-length") != nil ? .length : isVersion10 ? .close : .chunks
    if framing == .close || set.isStopping { keepsAlive = false }
    let reason = reason.isEmpty ? HTTPResponseStatus(statusCode: status).reasonPhrase : reason
    var text = "HTTP/1.1 \(status) \(reason)\r\n"
    for field in headers { text += "\(field.name): \(field.value)\r\n" }
    if framing == .chunks { text += "Transfer-Encoding: chunked\r\n" }
    if let call { text += "X-Tapedeck-Call: \(call)\r\n" }
    if !keepsAlive {
      text += "Connection: close\r\n"
    } else if isVersion10 {
      text += "Connection: keep-alive\r\n"
    }
    text += "\r\n"
    if let bytes = HeaderText.bytes(text) {
      out.append(bytes)
    } else {
      text.withUTF8 { out.append(UnsafeRawBufferPointer($0)) }
    }
    if framing == .chunks { out.beginChunked() }
  }

  static func bytes(of trailers: [HeaderField]) -> [UInt8] {
    trailers.flatMap { field in
      let line = "\(field.name): \(field.value)\r\n"
      return HeaderText.bytes(line) ?? Array(line.utf8)
    }
  }

  /// The client is told nothing: no head, no body.
  package func stayAwayWithoutHead() {
    framing = .none
    headIsOut = true
    keepsAlive = false
  }

  /// Appends a whole response with a JSON body.
  package func answer(_ status: Int, json body: [UInt8], call: CallID? = nil) {
    appendHead(
      status,
      [HeaderField("Content-Type", "application/json"), HeaderField("Content-Length", String(body.count))], call: call)
    if hasBody { out.append(body) }
  }

  /// Appends a whole response that says why there is no other.
  package func answer(_ status: Int, code: String, message: String, call: CallID? = nil) {
    answer(status, json: ServerError.json(code, message).compact, call: call)
  }
}

/// The body of an answer in which a server says why it has no other.
package enum ServerError {
  package static func json(_ code: String, _ message: String) -> JSONValue {
    ["error": ["message": .string(message), "code": .string(code), "source": "tapedeck"]]
  }
}
