import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import TapeWeb

/// A client that stops reading.
@Suite struct StalledWritesTests {
  /// Takes what is written, and says when.
  private final class Socket: ChannelOutboundHandler {
    typealias OutboundIn = HTTPResponsePart
    var waiting: [EventLoopPromise<Void>?] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
      waiting.append(promise)
    }

    func takeOne() { waiting.removeFirst()?.succeed() }
  }

  private let socket = Socket()
  private let loop = EmbeddedEventLoop()
  private let channel: EmbeddedChannel

  init() throws {
    let stalled = StalledWrites(patience: .seconds(30), now: loop.now)
    channel = EmbeddedChannel(handlers: [socket, stalled], loop: loop)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  private func write() { channel.write(HTTPResponsePart.body(ByteBuffer(string: "event: call")), promise: nil) }

  @Test func isLetGoAfterHalfAMinute() {
    write()
    loop.advanceTime(by: .seconds(29))
    #expect(channel.isActive)
    loop.advanceTime(by: .seconds(2))
    #expect(!channel.isActive)
  }

  @Test func oneThatReadsSlowlyStays() {
    for _ in 0..<6 { write() }
    for _ in 0..<6 {
      loop.advanceTime(by: .seconds(20))
      #expect(channel.isActive)
      socket.takeOne()
    }
    loop.advanceTime(by: .seconds(300))
    #expect(channel.isActive, "nothing is written to it")
  }

  @Test func oneThatStopsInTheMiddleIsLetGo() {
    for _ in 0..<3 { write() }
    loop.advanceTime(by: .seconds(20))
    socket.takeOne()
    loop.advanceTime(by: .seconds(29))
    #expect(channel.isActive)
    loop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive, "half a minute after what it took last")
  }
}
