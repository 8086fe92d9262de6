import NIOCore
import NIOEmbedded
import NIOHTTP1
package import TapeTypes

/// One request as the client sent it.
package struct InboundRequest {
  package var method: String
  /// The request target, origin form.
  package var target: String
  package var headers: [HeaderField]
  package var body: [UInt8] = []
  package var hasBody = false
  /// Of a body that goes on behind what is in `body`: how long it is as a whole, if that is known.
  package var length: Int?
  /// HTTP/1.0: no chunks, and the connection closes unless told otherwise.
  package var isVersion10: Bool
  /// Another request may follow, on this connection and through the parser that read this one.
  package var keepsAlive: Bool
}

/// Why a request is not taken. The connection cannot be used further.
package struct RequestRefusal: Error {
  package var status: Int
  package var code: String
  package var message: String

  package init(status: Int, code: String, message: String) {
    self.status = status
    self.code = code
    self.message = message
  }
}

/// Reads requests out of a connection's bytes with NIO's HTTP/1 decoder, used stand-alone.
///
/// A parser costs 8 KB, so connections borrow one only while a request comes in. For that it
/// never takes a byte behind the request: up to the blank line, and then what `Content-Length`
/// says or a `ChunkScanner` finds.
package final class RequestParser {
  package enum Step {
    /// All bytes taken, and no request is whole yet.
    case needsMore
    /// The client waits for leave to send its body.
    case expectsContinue
    case request(InboundRequest)
    /// A request whose body is large: what has come of it is with it, the rest follows as `body`, then `bodyEnd`.
    case begun(InboundRequest)
    case body([UInt8])
    case bodyEnd(keepsAlive: Bool)
  }

  private enum Phase {
    case head
    case fixedBody(remaining: Int)
    case chunkedBody(ChunkScanner)
  }

  private let channel: EmbeddedChannel
  private let maxHeaderBytes: Int
  private let maxBodyBytes: Int
  /// Whether a request's large body is to be handed on while it comes in.
  private let streams: (InboundRequest) -> Bool
  /// A head of very many very short fields takes time out of proportion to its size.
  private static let mostLines = 4096
  /// Larger bodies are streamed, where they may be.
  private static let wholeBytes = 256 << 10
  /// Bytes of the body that is being streamed; nil for none.
  private var streamedBytes: Int?
  private var phase = Phase.head
  /// What has come of a head.
  private var head: [UInt8] = []
  private var request: InboundRequest?
  private var blank = BlankLineFinder()
  /// What the decoder was told otherwise.
  private var prepared = RequestHead.Prepared()

  package init(
    maxHeaderBytes: Int, maxBodyBytes: Int, streams: @escaping (InboundRequest) -> Bool = { _ in false }
  ) {
    self.streams = streams
    channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    self.maxHeaderBytes = maxHeaderBytes
    self.maxBodyBytes = maxBodyBytes
  }

  /// A channel and its pipeline hold each other until the channel is closed.
  deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

  /// Nothing of a request is in it, so another connection may have it.
  package var isReusable: Bool { !isInRequest }

  /// Whether a request has begun to come in.
  package var isInRequest: Bool { request != nil || isInHead }

  /// Whether there is a part of a head, and no more.
  package var isInHead: Bool { !head.isEmpty }

  /// Takes bytes from the front of `bytes` until something is to be done.
  ///
  /// - Returns: what is to be done, and how many bytes were taken.
  package func take(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) -> (Step, taken: Int) {
    var taken = 0
    if let step = try nextStep() { return (step, 0) }
    while taken < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
      switch phase {
      case .head: taken += try takeHead(rest)
      case .fixedBody(let remaining):
        let count = min(remaining, rest.count)
        try decode(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        taken += count
      case .chunkedBody(var chunks):
        let count = try chunks.take(rest)
        phase = .chunkedBody(chunks)
        guard chunks.dataBytes <= maxBodyBytes else { throw bodyTooLarge }
        try decode(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        taken += count
      }
      if let step = try nextStep() { return (step, taken) }
      if case .chunkedBody(let chunks) = phase, chunks.isAtEnd {
        throw RequestHeadRules.refusal("the chunks of the body can be read in two ways")
      }
    }
    return (.needsMore, taken)
  }

  /// Collects a head, and has it decoded when it is whole.
  private func takeHead(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) -> Int {
    // Blank lines in front of a request say nothing (RFC 9112 §2.2), and are no beginning of one.
    if head.isEmpty, let first = bytes.first, first == 0x0D || first == 0x0A { return 1 }
    let end = blank.find(in: bytes)
    let count = end ?? bytes.count
    head.append(contentsOf: bytes[..<count])
    guard head.first.map(RequestHead.canBegin(with:)) ?? true else {
      throw RequestHeadRules.refusal("this is no HTTP: plain HTTP is spoken here")
    }
    guard !blank.line.isBroken else {
      throw RequestHeadRules.refusal("the request line is not METHOD, one space, target, one space, HTTP/1.1")
    }
    guard !blank.sawBareLF else {
      throw RequestRefusal(
        status: 400, code: "bad_request", message: "a line of the request head ends with LF alone: CR LF is due")
    }
    guard head.count <= maxHeaderBytes else {
      throw RequestRefusal(
        status: 431, code: "header_too_large", message: "the request head is over \(maxHeaderBytes) bytes")
    }
    guard blank.lines <= Self.mostLines else {
      throw RequestRefusal(
        status: 431, code: "header_too_large", message: "the request head has over \(Self.mostLines) lines")
    }
    guard end != nil else { return count }
    prepared = RequestHead.prepared(head)
    try decode(channel.allocator.buffer(bytes: prepared.bytes ?? head))
    prepared.bytes = nil
    head.removeAll(keepingCapacity: true)
    return count
  }

  private func decode(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) {
    try decode(channel.allocator.buffer(bytes: bytes))
  }

  private func decode(_ buffer: ByteBuffer) throws(RequestRefusal) {
    do {
      try channel.writeInbound(buffer)
    } catch HTTPParserError.headerOverflow {
      throw RequestRefusal(status: 431, code: "header_too_large", message: "the request head is too large")
    } catch HTTPParserError.invalidVersion {
      throw RequestRefusal(status: 505, code: "version_not_supported", message: "only HTTP/1.0 and HTTP/1.1 are spoken")
    } catch {
      throw RequestRefusal(status: 400, code: "bad_request", message: "the request is not HTTP/1.1: \(error)")
    }
  }

  /// Goes on with what the decoder has ready; nil if it needs bytes.
  private func nextStep() throws(RequestRefusal) -> Step? {
    while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
      switch part {
      case .head(let head):
        let waits = try begin(head)
        if waits { return .expectsContinue }
      case .body(let buffer):
        if let step = try append(buffer) { return step }
      case .end:
        guard let done = request else { continue }
        request = nil
        phase = .head
        blank = BlankLineFinder()
        guard streamedBytes != nil else { return .request(done) }
        streamedBytes = nil
        return .bodyEnd(keepsAlive: done.keepsAlive)
      }
    }
    return nil
  }

  /// - Returns: whether the client waits before it sends the body.
  private func begin(_ head: HTTPRequestHead) throws(RequestRefusal) -> Bool {
    let fields = head.headers.map { HeaderField($0.name, RequestHeadRules.trimmed($0.value)) }
    try RequestHeadRules.check(head)
    var request = InboundRequest(
      method: prepared.method ?? head.method.rawValue, target: prepared.target ?? head.uri, headers: fields,
      isVersion10: head.version == .http1_0,
      // Behind a request that wants to change the protocol NIO's decoder takes nothing more, for good.
      keepsAlive: head.isKeepAlive && !head.headers.contains(name: "upgrade"))
    if head.headers.contains(name: "transfer-encoding") {
      request.hasBody = true
      phase = .chunkedBody(ChunkScanner(maxOtherBytes: maxHeaderBytes))
    } else if let stated = head.headers.first(name: "content-length") {
      // The decoder has seen that it is a number; this is one of 64 bits at the most.
      guard let length = Int(RequestHeadRules.trimmed(stated)), length <= maxBodyBytes else { throw bodyTooLarge }
      request.hasBody = true
      request.length = length
      if length <= Self.wholeBytes || !streams(request) { request.body.reserveCapacity(length) }
      phase = .fixedBody(remaining: length)
    }
    self.request = request
    let expects = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    return expects && request.hasBody && !request.isVersion10
  }

  /// - Returns: what is to be done with a body that is streamed.
  private func append(_ buffer: ByteBuffer) throws(RequestRefusal) -> Step? {
    if case .fixedBody(let remaining) = phase { phase = .fixedBody(remaining: remaining - buffer.readableBytes) }
    if let before = streamedBytes {
      streamedBytes = before + buffer.readableBytes
      if before + buffer.readableBytes > maxBodyBytes { throw bodyTooLarge }
      return .body(Array(buffer.readableBytesView))
    }
    guard var current = request else { return nil }
    // Not two owners of the body while it grows.
    request = nil
    current.body.append(contentsOf: buffer.readableBytesView)
    let size = current.body.count
    if size > maxBodyBytes { throw bodyTooLarge }
    let isLarge = (current.length ?? size) > Self.wholeBytes
    guard isLarge, streams(current), size < current.length ?? .max else {
      request = current
      return nil
    }
    streamedBytes = size
    let begun = current
    current.body = []
    request = current
    return .begun(begun)
  }

  private var bodyTooLarge: RequestRefusal {
    RequestRefusal(status: 413, code: "body_too_large", message: "the request body is over \(maxBodyBytes) bytes")
  }
}
