import CTapeShims
import TapeHTTP
import TapeLoop
import TapeRecorder
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One client's connection: reads a request, has it forwarded, sends the response, and again.
///
/// Owned by the loop's thread. While a response is on its way nothing is read from the client,
/// so pipelined requests wait in the kernel or in `unread`; only its going away is noticed.
final class ClientConnection: EventSource, ExchangeClient {
  enum Phase {
    /// Waiting for a request, or inside one.
    case reading
    /// A request is upstream, or its response not sent to the end.
    case responding
    /// The last response is out; what the client still sends is thrown away until it closes.
    case lingering
    case closed
  }

  /// How the response's end is told to the client.
  enum Framing { case none, length, chunks, close }

  let proxy: ProxyCore
  let descriptor: CInt
  let out: OutBuffer
  var token = EventToken.none
  var interest: Readiness = []
  var phase = Phase.reading
  /// Where the proxy keeps it.
  var index = -1
  /// When the client was last heard of, monotonic ns.
  var activeNs: Int64
  /// Since when the client takes no bytes although there are some; nil while it does.
  private var stuckNs: Int64?
  /// Bytes read behind the request at work.
  var unread: [UInt8] = []
  var parser: RequestParser?

  // The request at work.
  var exchange: Exchange?
  /// Of the request no more is kept than the response's form depends on.
  var isHead = false
  var isVersion10 = false
  var framing = Framing.none
  var headSent = false
  var responseIsWhole = false
  var keepsAlive = true
  /// The end of the response was a cut that closing alone would not show.
  var resets = false

  init(_ descriptor: CInt, proxy: ProxyCore) {
    self.descriptor = descriptor
    self.proxy = proxy
    out = OutBuffer(pool: proxy.loop.buffers)
    activeNs = proxy.loop.now
  }

  deinit { if phase != .closed { _ = Glibc.close(descriptor) } }

  func join() {
    interest = [.readable, .peerClosed]
    token = proxy.loop.events.add(descriptor, interest, self)
  }

  // MARK: Events

  func ready(_ events: Readiness, now: Int64) {
    if events.contains(.failed) || events.contains(.hungUp) { return left(now: now) }
    switch phase {
    case .closed: return
    case .reading: if !events.isDisjoint(with: [.readable, .peerClosed]) { read(now: now) }
    case .responding:
      if events.contains(.peerClosed) { return left(now: now) }
      if events.contains(.writable) { flush(now: now) }
    case .lingering: discard(now: now)
    }
  }

  private func read(now: Int64) {
    let scratch = proxy.scratch
    let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
    if count > 0 {
      activeNs = now
      take(UnsafeRawBufferPointer(rebasing: scratch[..<count]), now: now)
    } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
      close()
    }
  }

  /// Parses bytes until a request is whole or they are used up.
  func take(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    let parser = self.parser ?? proxy.takeParser()
    self.parser = parser
    var position = 0
    do throws(RequestRefusal) {
      while true {
        let (step, taken) = try parser.take(UnsafeRawBufferPointer(rebasing: bytes[position...]))
        position += taken
        switch step {
        case .needsMore: return
        case .expectsContinue:
          if position == bytes.count {
            out.append("HTTP/1.1 100 Continue\r\n\r\n")
            proxy.loop.touched(self)
          }
        case .request(let request):
          unread = Array(bytes[position...])
          giveParserBack(keepsAlive: request.keepsAlive)
          return begin(request, now: now)
        }
      }
    } catch {
      giveParserBack(keepsAlive: false)
      refuse(error)
    }
  }

  private func giveParserBack(keepsAlive: Bool) {
    guard let parser else { return }
    // Behind `Connection: close` the decoder takes nothing more.
    if !keepsAlive {
      self.parser = nil
    } else if parser.isReusable {
      proxy.give(parser)
      self.parser = nil
    }
  }

  /// Reads on after a response: first what is here already.
  private func readNext() {
    phase = .reading
    activeNs = proxy.loop.now
    watch([.readable, .peerClosed])
    guard !unread.isEmpty || parser != nil else { return }
    proxy.loop.later { [self] loop in
      guard phase == .reading else { return }
      let bytes = unread
      unread = []
      bytes.withUnsafeBytes { take($0, now: loop.now) }
    }
  }

  func watch(_ wanted: Readiness) {
    guard wanted != interest, phase != .closed else { return }
    interest = wanted
    proxy.loop.events.change(descriptor, wanted, token)
  }

  // MARK: Sending

  func flush(now: Int64) {
    guard phase != .closed else { return }
    out.commit()
    var isBroken = false
    let before = out.unsent
    out.drain { bytes in
      let count = tape_send(descriptor, bytes.baseAddress, bytes.count)
      if count < 0, errno != EAGAIN, errno != EINTR { isBroken = true }
      return max(0, count)
    }
    if isBroken { return left(now: now) }
    if !out.isEmpty {
      if out.unsent < before || stuckNs == nil { stuckNs = now }
      watch(phase == .responding ? [.peerClosed, .writable] : interest.union(.writable))
    } else {
      stuckNs = nil
      if interest.contains(.writable) { watch(interest.subtracting(.writable)) }
    }
    exchange?.sentSome()
    if responseIsWhole, out.isEmpty { finishResponse() }
  }

  private func finishResponse() {
    responseIsWhole = false
    exchange = nil
    if keepsAlive, !proxy.isStopping {
      readNext()
    } else if resets {
      reset()
    } else {
      linger()
    }
  }

  /// Closes so that the client gets all that was sent: a close with bytes unread would be a reset.
  private func linger() {
    phase = .lingering
    activeNs = proxy.loop.now
    shutdown(descriptor, CInt(SHUT_WR))
    watch([.readable, .peerClosed])
    discard(now: activeNs)
  }

  private func discard(now: Int64) {
    let scratch = proxy.scratch
    for _ in 0..<16 {
      let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
      if count > 0 { continue }
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      return close()
    }
  }

  /// A body that ends with the connection can be shown as cut only by a reset, and a reset
  /// throws away what the client has not acknowledged: so wait for that.
  private func reset() {
    phase = .lingering
    guard tape_unacknowledged(descriptor) == 0 else { return watch([.peerClosed]) }
    var hard = Glibc.linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<Glibc.linger>.size))
    close()
  }

  // MARK: The end

  /// The client went away.
  private func left(now: Int64, detail: String? = nil) {
    guard phase != .closed else { return }
    exchange?.clientLeft(now: now, drain: proxy.options.drainOnAbort, detail: detail)
    close()
  }

  func close() {
    guard phase != .closed else { return }
    phase = .closed
    exchange = nil
    out.reset()
    giveParserBack(keepsAlive: true)
    parser = nil
    proxy.loop.events.remove(descriptor, token)
    _ = Glibc.close(descriptor)
    proxy.forget(self)
  }

  /// Closes what has stood still for too long.
  func checkDeadlines(now: Int64) {
    let still = now - activeNs
    switch phase {
    case .closed: return
    case .reading:
      if parser?.isInRequest == true {
        guard still > proxy.options.requestTimeoutNs else { return }
        refuse(RequestRefusal(status: 408, code: "request_timeout", message: "the request did not come to its end"))
      } else if still > proxy.options.keepAliveNs {
        close()
      }
    case .responding:
      let limit = proxy.options.recorder.idleTimeoutSeconds
      guard limit > 0, let stuckNs, Double(now - stuckNs) > limit * 1e9 else { return }
      left(now: now, detail: "the client stopped reading")
    case .lingering:
      if resets, still < proxy.options.lingerNs {
        reset()
      } else if still > proxy.options.lingerNs {
        close()
      }
    }
  }
}
