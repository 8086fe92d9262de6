internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// A small HTTP client for the demo's own calls: it posts JSON, reads the stream and can
/// hang up in the middle of it, as an impatient user would.
package final class DemoClient: Sendable {
  /// What came back: nil status when the server closed without a response.
  package struct Answer: Sendable {
    package var status: Int?
    package var headers: [String: String] = [:]
    package var body: [UInt8] = []
  }

  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let port: Int

  /// Talks to 127.0.0.1 at `port`.
  package init(port: Int) {
    self.port = port
  }

  package func stop() {
    try? group.syncShutdownGracefully()
  }

  /// Posts `body` and waits for the end of the answer, or hangs up once `hangUpAfterBytes` have come.
  ///
  /// - Throws: what connect(2) said.
  package func post(
    _ path: String, headers: [(String, String)], body: [UInt8], hangUpAfterBytes: Int? = nil
  ) throws -> Answer {
    let done = group.next().makePromise(of: Answer.self)
    let channel: any Channel
    do {
      channel = try ClientBootstrap(group: group)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(
              AnswerHandler(hangUpAfterBytes: hangUpAfterBytes, done: done))
          }
        }
        .connect(host: "127.0.0.1", port: port).wait()
    } catch {
      done.fail(error)
      throw error
    }
    var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: HTTPHeaders(headers))
    head.headers.replaceOrAdd(name: "host", value: "127.0.0.1:\(port)")
    head.headers.replaceOrAdd(name: "content-type", value: "application/json")
    head.headers.replaceOrAdd(name: "content-length", value: String(body.count))
    channel.write(HTTPClientRequestPart.head(head), promise: nil)
    channel.write(HTTPClientRequestPart.body(.byteBuffer(channel.allocator.buffer(bytes: body))), promise: nil)
    channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    return try done.futureResult.wait()
  }
}

private final class AnswerHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private let hangUpAfterBytes: Int?
  private let done: EventLoopPromise<DemoClient.Answer>
  private var answer = DemoClient.Answer()

  init(hangUpAfterBytes: Int?, done: EventLoopPromise<DemoClient.Answer>) {
    self.hangUpAfterBytes = hangUpAfterBytes
    self.done = done
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      answer.status = Int(head.status.code)
      for (name, value) in head.headers { answer.headers[name.lowercased()] = value }
    case .body(let buffer):
      answer.body.append(contentsOf: buffer.readableBytesView)
      if let hangUpAfterBytes, answer.body.count >= hangUpAfterBytes { context.close(promise: nil) }
    case .end: context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    done.succeed(answer)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
