internal import NIOCore
internal import NIOHTTPTypes

/// Closes a connection whose client takes nothing of what is written to it for half a minute.
final class StalledWrites: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let patience: TimeAmount
  private var pending = 0
  private var lastProgress: NIODeadline
  private var check: Scheduled<Void>?

  /// - Parameter now: of the connection's event loop.
  init(patience: TimeAmount, now: NIODeadline = .now()) {
    self.patience = patience
    lastProgress = now
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let written = promise ?? context.eventLoop.makePromise()
    if pending == 0 { lastProgress = context.eventLoop.now }
    pending += 1
    let bound = NIOLoopBound((self, context.eventLoop), eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in
      let (handler, loop) = bound.value
      handler.pending -= 1
      handler.lastProgress = loop.now
    }
    context.write(data, promise: written)
    schedule(context, in: patience)
  }

  private func schedule(_ context: ChannelHandlerContext, in time: TimeAmount) {
    guard check == nil else { return }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    check = context.eventLoop.scheduleTask(in: time) {
      let (handler, context) = bound.value
      handler.check = nil
      guard handler.pending > 0 else { return }
      let waited = context.eventLoop.now - handler.lastProgress
      if waited >= handler.patience {
        context.close(promise: nil)
      } else {
        handler.schedule(context, in: handler.patience - waited)
      }
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    check?.cancel()
    check = nil
  }

  func channelInactive(context: ChannelHandlerContext) {
    check?.cancel()
    check = nil
    context.fireChannelInactive()
  }
}
