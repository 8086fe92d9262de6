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
/// says. Only of chunked bodies the decoder alone knows the end; behind one, the parser stays
/// with its connection (`isReusable`).
package final class RequestParser {
  package enum Step {
    /// All bytes taken, and no request is whole yet.
    case needsMore
    /// The client waits for leave to send its body.
    case expectsContinue
    case request(InboundRequest)
  }

  private enum Phase {
    case head
    case fixedBody(remaining: Int)
    case chunkedBody
  }

  private let channel: EmbeddedChannel
  private let maxHeaderBytes: Int
  private let maxBodyBytes: Int
  private var phase = Phase.head
  private var headBytes = 0
  private var request: InboundRequest?
  private var blank = BlankLineFinder()
  private var readsAhead = false
  /// Taken of a chunked body, with all that is around its chunks.
  private var chunkedBytes = 0

  package init(maxHeaderBytes: Int, maxBodyBytes: Int) {
    channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    self.maxHeaderBytes = maxHeaderBytes
    self.maxBodyBytes = maxBodyBytes
  }

  /// A channel and its pipeline hold each other until the channel is closed.
  deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

  /// Nothing of a request is in it, so another connection may have it.
  package var isReusable: Bool { request == nil && headBytes == 0 && !readsAhead }

  /// Whether a request has begun to come in.
  package var isInRequest: Bool { request != nil || headBytes > 0 }

  /// Takes bytes from the front of `bytes` until something is to be done.
  ///
  /// - Returns: what is to be done, and how many bytes were taken.
  package func take(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) -> (Step, taken: Int) {
    var taken = 0
    if let step = try nextStep() { return (step, 0) }
    while taken < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
      let count = try share(of: rest)
      try decode(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      taken += count
      if let step = try nextStep() { return (step, taken) }
      try checkChunks(count)
    }
    return (.needsMore, taken)
  }

  /// How many of the bytes surely belong to the request at hand.
  private func share(of bytes: UnsafeRawBufferPointer) throws(RequestRefusal) -> Int {
    switch phase {
    case .head:
      let count = blank.find(in: bytes) ?? bytes.count
      headBytes += count
      guard !blank.line.isBroken else {
        throw RequestHeadRules.refusal("the request line is not METHOD, one space, target, one space, HTTP/1.1")
      }
      guard !blank.sawBareLF else {
        throw RequestRefusal(
          status: 400, code: "bad_request", message: "a line of the request head ends with LF alone: CR LF is due")
      }
      guard headBytes <= maxHeaderBytes else {
        throw RequestRefusal(
          status: 431, code: "header_too_large", message: "the request head is over \(maxHeaderBytes) bytes")
      }
      return count
    case .fixedBody(let remaining): return min(remaining, bytes.count)
    case .chunkedBody:
      readsAhead = true
      return bytes.count
    }
  }

  /// Sizes, extensions and trailers of chunks are in nobody's count of the body.
  private func checkChunks(_ count: Int) throws(RequestRefusal) {
    guard case .chunkedBody = phase, let request else { return }
    chunkedBytes += count
    guard chunkedBytes - request.body.count <= maxHeaderBytes + 16 * request.body.count else {
      throw RequestHeadRules.refusal("the chunks of the body have more around them than in them")
    }
  }

  private func decode(_ bytes: UnsafeRawBufferPointer) throws(RequestRefusal) {
    var buffer = channel.allocator.buffer(capacity: bytes.count)
    buffer.writeBytes(bytes)
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
        try append(buffer)
      case .end:
        guard let done = request else { continue }
        request = nil
        phase = .head
        headBytes = 0
        blank = BlankLineFinder()
        return .request(done)
      }
    }
    return nil
  }

  /// - Returns: whether the client waits before it sends the body.
  private func begin(_ head: HTTPRequestHead) throws(RequestRefusal) -> Bool {
    let fields = head.headers.map { HeaderField($0.name, $0.value) }
    try RequestHeadRules.check(head)
    var request = InboundRequest(
      method: head.method.rawValue, target: head.uri, headers: fields, isVersion10: head.version == .http1_0,
      // Behind a request that wants to change the protocol NIO's decoder takes nothing more, for good.
      keepsAlive: head.isKeepAlive && !head.headers.contains(name: "upgrade"))
    if head.headers.contains(name: "transfer-encoding") {
      request.hasBody = true
      phase = .chunkedBody
      chunkedBytes = 0
    } else if let stated = head.headers.first(name: "content-length") {
      // The decoder has seen that it is a number; this is one of 64 bits at the most.
      guard let length = Int(RequestHeadRules.trimmed(stated)), length <= maxBodyBytes else { throw bodyTooLarge }
      request.hasBody = true
      request.body.reserveCapacity(length)
      phase = .fixedBody(remaining: length)
    }
    self.request = request
    let expects = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    return expects && request.hasBody && !request.isVersion10
  }

  private func append(_ buffer: ByteBuffer) throws(RequestRefusal) {
    guard var current = request else { return }
    // Not two owners of the body while it grows.
    request = nil
    current.body.append(contentsOf: buffer.readableBytesView)
    if case .fixedBody(let remaining) = phase { phase = .fixedBody(remaining: remaining - buffer.readableBytes) }
    let size = current.body.count
    request = current
    if size > maxBodyBytes { throw bodyTooLarge }
  }

  private var bodyTooLarge: RequestRefusal {
    RequestRefusal(status: 413, code: "body_too_large", message: "the request body is over \(maxBodyBytes) bytes")
  }
}

/// Finds the end of a head, the blank line, over bytes that come in pieces.
private struct BlankLineFinder {
  /// The last line so far has no bytes but perhaps a CR.
  private var lineIsEmpty = true
  private var sawLine = false
  private var sawCR = false
  /// The first line with anything in it.
  private(set) var line = RequestLineCheck()
  /// A line that is not blank ended without CR. The decoder would blame the HTTP version for it.
  private(set) var sawBareLF = false

  /// Where the blank line ends; nil if it is not in these bytes. Blank lines in front of the request do not count.
  mutating func find(in bytes: UnsafeRawBufferPointer) -> Int? {
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case 0x0A:
        if sawLine {
          line.take(byte)
          if !sawCR { sawBareLF = true }
        }
        if lineIsEmpty, sawLine { return index + 1 }
        lineIsEmpty = true
        sawCR = false
      case 0x0D:
        if sawLine { line.take(byte) }
        sawCR = true
      default:
        line.take(byte)
        lineIsEmpty = false
        sawCR = false
        sawLine = true
      }
    }
    return nil
  }
}
