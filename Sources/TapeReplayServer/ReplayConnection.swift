internal import CTapeShims
internal import Crypto
internal import TapeHTTP
internal import TapeJSON
internal import TapeLoop
internal import TapeReplay
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One client's connection: reads a request, plays the recording for it, and again.
///
/// Owned by the loop's thread. Until a response is out nothing more is read from the client, so pipelined requests
/// wait in the kernel or in `unread`; only its going away is noticed.
final class ReplayConnection: EventSource {
  enum Phase {
    /// Waiting for a request, or inside one.
    case reading
    /// The recording for a request is being looked for.
    case finding(ticket: Int)
    /// A response is being played, or not sent to the end.
    case responding
    /// The last response is out; what the client still sends is thrown away until it closes.
    case lingering
    case closed
  }

  /// How the response's end is told to the client.
  enum Framing { case none, length, chunks, close }

  let core: ReplayCore
  let descriptor: CInt
  let out: OutBuffer
  private var token = EventToken.none
  private var interest: Readiness = []
  private(set) var phase = Phase.reading
  /// Where the core keeps it.
  var index = -1
  /// Tells a time that was set for it from one that does not count any more.
  private(set) var turn = 0
  /// When the client was last heard of, monotonic ns.
  private var activeNs: Int64
  /// Since when the client takes no bytes although there are some; nil while it does.
  private var stuckNs: Int64?
  /// Bytes read behind the request at work.
  private var unread: [UInt8] = []
  private var parser: RequestParser?

  // The request at work, and its response.
  private var requestNs: Int64 = 0
  var isHead = false
  var isVersion10 = false
  var framing = Framing.none
  var keepsAlive = true
  /// The end of the response is a cut that closing alone would not show.
  var resets = false
  var responseIsWhole = false
  var playing: Playing?

  init(_ descriptor: CInt, core: ReplayCore) {
    self.descriptor = descriptor
    self.core = core
    out = OutBuffer(pool: core.buffers)
    activeNs = core.loop.now
  }

  deinit { if case .closed = phase {} else { _ = Glibc.close(descriptor) } }

  func join() {
    interest = [.readable, .peerClosed]
    token = core.loop.add(descriptor, interest, self)
  }

  /// Between requests.
  var isIdle: Bool {
    if case .reading = phase { parser?.isInRequest != true } else { false }
  }

  // MARK: Events

  func ready(_ events: Readiness, now: Int64) {
    if events.contains(.failed) || events.contains(.hungUp) { return left() }
    switch phase {
    case .closed: return
    case .reading: if !events.isDisjoint(with: [.readable, .peerClosed]) { read(now: now) }
    case .finding: if events.contains(.peerClosed) { left() }
    case .responding:
      if events.contains(.peerClosed) { return left() }
      if events.contains(.writable) { sendOn(now: now) }
    case .lingering: discard()
    }
  }

  private func read(now: Int64) {
    let scratch = core.scratch
    let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
    if count > 0 {
      activeNs = now
      take(UnsafeRawBufferPointer(rebasing: scratch[..<count]), now: now)
    } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
      close()
    }
  }

  /// Parses bytes until a request is whole or they are used up.
  private func take(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    let parser = self.parser ?? core.takeParser()
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
            flush(now: now)
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
      core.give(parser)
      self.parser = nil
    }
  }

  private func begin(_ request: InboundRequest, now: Int64) {
    requestNs = now
    isHead = request.method == "HEAD"
    isVersion10 = request.isVersion10
    keepsAlive = request.keepsAlive
    responseIsWhole = false
    resets = false
    phase = .finding(ticket: core.find(request, for: self))
    watch([.peerClosed])
  }

  /// Reads on after a response: first what is here already.
  private func readNext() {
    phase = .reading
    activeNs = core.loop.now
    watch([.readable, .peerClosed])
    if !unread.isEmpty || parser != nil { core.later(self) }
  }

  func readWhatIsHere() {
    guard case .reading = phase else { return }
    let bytes = unread
    unread = []
    bytes.withUnsafeBytes { take($0, now: core.loop.now) }
  }

  private func watch(_ wanted: Readiness) {
    guard wanted != interest else { return }
    interest = wanted
    core.loop.change(descriptor, wanted, token)
  }

  // MARK: Responses

  func play(_ call: PlayedCall) {
    guard case .finding = phase else { return }
    phase = .responding
    let now = MonotonicClock.nowNs
    var playing = Playing(call, pace: core.options.pace)
    playing.schedule.start(requestNs: requestNs, now: now)
    if playing.countsLateness { playing.report.delayNs = playing.schedule.delayNs }
    self.playing = playing
    core.schedule(self, atNs: playing.schedule.nextNs)
  }

  /// It is time for what comes next.
  func goOn(now: Int64) {
    switch phase {
    case .responding: playDue(now: now)
    case .lingering: if resets { reset(now: now) }
    case .reading, .finding, .closed: return
    }
  }

  /// Whoever set a time before this set it for something else.
  func setTime(_ atNs: Int64) {
    turn += 1
    core.schedule(self, atNs: atNs)
  }

  /// A response of the server's own.
  func answer(_ status: Int, _ json: String) {
    guard case .finding = phase else { return }
    phase = .responding
    append(ownAnswer: status, Array((json + "\n").utf8))
    responseIsWhole = true
    flush(now: core.loop.now)
  }

  func fail(_ status: Int, code: String, message: String) {
    answer(status, String(decoding: Self.error(code, message).compact, as: UTF8.self))
  }

  /// Answers a request that is not taken, and closes.
  func refuse(_ refusal: RequestRefusal) {
    phase = .responding
    watch([.peerClosed])
    keepsAlive = false
    isHead = false
    append(ownAnswer: refusal.status, Self.error(refusal.code, refusal.message).compact)
    responseIsWhole = true
    flush(now: core.loop.now)
  }

  // MARK: Sending

  /// Sends what is in `out`, as far as the client takes it.
  func flush(now: Int64) {
    if case .closed = phase { return }
    out.commit()
    var isBroken = false
    let before = out.unsent
    out.drain { bytes in
      let count = tape_send(descriptor, bytes.baseAddress, bytes.count)
      if count < 0, errno != EAGAIN, errno != EINTR { isBroken = true }
      return max(0, count)
    }
    if isBroken { return left() }
    if !out.isEmpty {
      if out.unsent < before || stuckNs == nil { stuckNs = now }
      if !interest.contains(.writable) { watch(interest.union(.writable)) }
    } else {
      stuckNs = nil
      if interest.contains(.writable) { watch(interest.subtracting(.writable)) }
    }
    if responseIsWhole, out.isEmpty { finishResponse() }
  }

  /// The client takes bytes again.
  private func sendOn(now: Int64) {
    flush(now: now)
    goOnAfterHold(now: now)
  }

  private func finishResponse() {
    responseIsWhole = false
    if let playing {
      core.ended(playing.finished())
      self.playing = nil
    }
    turn += 1
    if keepsAlive, !core.isStopping {
      readNext()
    } else if resets {
      phase = .lingering
      activeNs = core.loop.now
      watch([.peerClosed])
      reset(now: activeNs)
    } else {
      linger()
    }
  }

  /// Closes so that the client gets all that was sent: a close with bytes unread would be a reset.
  private func linger() {
    phase = .lingering
    activeNs = core.loop.now
    shutdown(descriptor, CInt(SHUT_WR))
    watch([.readable, .peerClosed])
    discard()
  }

  private func discard() {
    if resets { return }
    let scratch = core.scratch
    for _ in 0..<16 {
      let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
      if count > 0 { continue }
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      return close()
    }
  }

  /// A reset throws away what the client has not acknowledged: so wait for that.
  private func reset(now: Int64) {
    guard tape_unacknowledged(descriptor) == 0 || now - activeNs > core.options.lingerNs else {
      return setTime(now + 1_000_000)
    }
    var hard = Glibc.linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<Glibc.linger>.size))
    close()
  }

  // MARK: The end

  /// The client went away, or is sent away.
  func left() {
    if let playing { core.ended(playing.left(hasAll: out.isEmpty)) }
    playing = nil
    close()
  }

  func close() {
    if case .closed = phase { return }
    if case .finding(let ticket) = phase { core.forget(ticket: ticket) }
    phase = .closed
    turn += 1
    playing = nil
    out.reset()
    giveParserBack(keepsAlive: true)
    parser = nil
    core.loop.remove(descriptor, token)
    _ = Glibc.close(descriptor)
    core.forget(self)
  }

  /// Closes what has stood still for too long.
  func checkDeadlines(now: Int64) {
    let still = now - activeNs
    switch phase {
    case .closed, .finding: return
    case .reading:
      if parser?.isInRequest == true {
        guard still > core.options.requestTimeoutNs else { return }
        refuse(RequestRefusal(status: 408, code: "request_timeout", message: "the request did not come to its end"))
      } else if still > core.options.keepAliveNs {
        close()
      }
    case .responding: if let stuckNs, now - stuckNs > core.options.stuckNs { left() }
    case .lingering: if still > core.options.lingerNs { close() }
    }
  }
}
