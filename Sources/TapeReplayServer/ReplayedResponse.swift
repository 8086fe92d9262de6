internal import TapeJSON
package import TapeTypes

/// What a client gets for a recorded call: status, headers, how the body is framed, and how it ends.
package struct ReplayedResponse: Sendable, Equatable {
  package enum Ending: Sendable, Equatable {
    /// As HTTP says it should.
    case whole
    /// The connection ends inside the body; with a reset where that is how upstream ended it.
    case cut(isReset: Bool)
  }

  package var status: Int
  package var headers: [HeaderField]
  /// The recording says how long the body is; else it is chunked.
  package var hasLength: Bool
  package var ending: Ending
  /// In place of what was not recorded: an answer of the server's own.
  package var ownBody: [UInt8]?
  /// Nothing was ever answered: the connection just ends.
  package var isSilent = false

  package init(_ call: RecordedCall) {
    ending = Self.ending(of: call)
    (status, headers, hasLength) = (200, [], false)
    guard let head = call.head else {
      answerWithoutHead(call)
      return
    }
    status = (200...999).contains(head.status) ? head.status : 502
    headers = HeaderRules.endToEnd(head.headers).compactMap(Self.harmless).filter {
      // Bytes on tape are never encoded; the call is named anew.
      !HeaderRules.equal($0.name, "content-encoding") && !HeaderRules.equal($0.name, "x-tapedeck-call")
    }
    if headers.first("content-type") == nil, !call.raw.isEmpty, head.headers.isEmpty {
      headers.append(HeaderField("Content-Type", Self.contentType(of: call.raw)))
    }
    fitLength(call.raw.count)
  }

  /// What the length on tape is of may have been another body: encoded, or before something was taken out of it.
  private mutating func fitLength(_ bytes: Int) {
    guard let length = headers.first("content-length") else { return }
    hasLength = true
    if Int(length) == bytes, ending == .whole { return }
    if case .cut = ending, let stated = Int(length), stated > bytes { return }
    headers.removeAll { HeaderRules.equal($0.name, "content-length") }
    hasLength = ending == .whole
    if hasLength { headers.append(HeaderField("Content-Length", String(bytes))) }
  }

  /// As the proxy answered then.
  private mutating func answerWithoutHead(_ call: RecordedCall) {
    let detail = call.end?.detail ?? "upstream gave no response"
    switch call.end?.cause {
    case .upstreamFailed, .endOfBody, .upstreamClosed: own(502, "upstream_failed", detail)
    case .timeout: own(504, "upstream_timeout", detail)
    case .archiveStopped: own(503, "archive_failure", detail)
    case .clientClosed: isSilent = true
    case nil where !call.raw.isEmpty:
      headers = [HeaderField("Content-Type", Self.contentType(of: call.raw))]
    case nil: own(502, "no_response_on_tape", "the recorder ended before call \(call.open.id) had a response")
    }
  }

  private mutating func own(_ status: Int, _ code: String, _ message: String) {
    let body: JSONValue = ["error": ["message": .string(message), "code": .string(code), "source": "tapedeck"]]
    let bytes = body.compact
    self.status = status
    headers = [HeaderField("Content-Type", "application/json"), HeaderField("Content-Length", String(bytes.count))]
    hasLength = true
    ending = .whole
    ownBody = bytes
  }

  private static func ending(of call: RecordedCall) -> Ending {
    guard let end = call.end, end.gapBytes == 0, end.gapFrames == 0 else { return .cut(isReset: false) }
    if end.cause == .endOfBody { return .whole }
    // A client that had read `[DONE]` and left had the whole stream.
    if end.cause == .clientClosed, endsWithDone(call) { return .whole }
    let detail = end.detail?.lowercased() ?? ""
    return .cut(isReset: detail.contains("reset by peer") || detail.contains("connection reset"))
  }

  private static func endsWithDone(_ call: RecordedCall) -> Bool {
    guard call.frameCount > 0 else { return false }
    return call.raw[call.frameRange(call.frameCount - 1)].starts(with: "data: [DONE]".utf8)
  }

  private static func contentType(of body: [UInt8]) -> String {
    switch body.first(where: { $0 > 0x20 }) {
    case 0x7B, 0x5B: "application/json"
    case 0x3C: "text/html"
    default: "text/event-stream"
    }
  }

  // MARK: Headers

  /// A field that cannot be taken for more than one: nil if its name is none, control characters in its value as spaces.
  static func harmless(_ field: HeaderField) -> HeaderField? {
    guard !field.name.isEmpty, field.name.utf8.allSatisfy(isNameByte) else { return nil }
    guard field.value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else { return field }
    let value = String(
      decoding: field.value.utf8.map { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
    return HeaderField(field.name, value)
  }

  /// RFC 9110 §5.6.2.
  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
