internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import TapeJSON
internal import TapeTypes

/// A local HTTP server that streams like orq.ai `POST /v2/deployments/stream`. It listens on
/// loopback only and needs no key; which generation it sends is a matter of the request's `key`
/// (`DemoScenario`). `POST /v2/deployments/invoke` answers in one piece, anything else is 404.
package final class DemoUpstream: Sendable {
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel
  /// The port it listens on.
  package let port: Int

  /// Listens on 127.0.0.1; port 0 picks a free one.
  ///
  /// - Throws: what bind(2) said.
  package init(port: Int = 0) throws {
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    channel = try ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(DemoHandler())
        }
      }
      .bind(host: "127.0.0.1", port: port).wait()
    self.port = channel.localAddress?.port ?? port
  }

  /// Closes the port and every connection.
  package func stop() {
    try? channel.close().wait()
    try? group.syncShutdownGracefully()
  }

  /// Waits until the listening port is closed.
  package func wait() {
    try? channel.closeFuture.wait()
  }
}

/// One connection: reads a request, plays its script, goes on with the next.
private final class DemoHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
    case .body(let buffer): body.append(contentsOf: buffer.readableBytesView)
    case .end:
      guard let head else { return }
      play(DemoRequest(head: head, body: body).script(), keepAlive: head.isKeepAlive, context: context)
    }
  }

  private func play(_ script: DemoScript, keepAlive: Bool, context: ChannelHandlerContext) {
    var headers = HTTPHeaders([("content-type", script.contentType), ("cache-control", "no-cache")])
    headers.add(name: "transfer-encoding", value: "chunked")
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: script.status), headers: headers)
    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    step(0, of: script, keepAlive: keepAlive, context: context)
  }

  private func step(_ index: Int, of script: DemoScript, keepAlive: Bool, context: ChannelHandlerContext) {
    guard context.channel.isActive else { return }
    guard index < script.steps.count else {
      if script.ending == .cut {
        context.close(promise: nil)
        return
      }
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
      if !keepAlive { context.close(promise: nil) }
      return
    }
    let step = script.steps[index]
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(step.pauseMilliseconds))) {
      let buffer = context.channel.allocator.buffer(bytes: step.bytes)
      context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
      self.step(index + 1, of: script, keepAlive: keepAlive, context: context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
