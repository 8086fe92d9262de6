internal import CTapeShims
package import TapeLoop
package import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One client's connection to a server: reads a request, has it answered, sends the response, and again.
///
/// Owned by the loop's thread. Until a response is out nothing more is read from the client, so pipelined requests wait
/// in the kernel or in `unread`; only its going away is noticed.
package final class ServerConnection: EventSource {
  enum Phase {
    /// Waiting for a request, or inside one.
    case reading
    /// A request is being answered, or its response is not sent to the end.
    case responding
    /// The last response is out; what the client still sends is thrown away until it closes.
    case lingering
    case closed
  }

  /// What is to be sent. Whoever answers appends the body to it.
  package let out: OutBuffer
  let set: ConnectionSet
  let descriptor: CInt
  var handler: (any ConnectionHandler)?
  var token = EventToken.none
  var interest: Readiness = []
  var phase = Phase.reading
  /// Where the set keeps it.
  var index = -1
  /// There was no file left for it.
  var isRefused = false
  /// When the client was last heard of, monotonic ns.
  var activeNs: Int64
  /// Since when the client takes no bytes although there are some; nil while it does.
  var stuckNs: Int64?
  /// Bytes read behind the request at work.
  private var unread: [UInt8] = []
  var parser: RequestParser?
  /// The body of the request at work still comes in.
  var bodyGoesOn = false
  /// The client sends no more. It may still read.
  var isHalfClosed = false
  var probe = Probe()

  // The request at work, of which no more is kept than the response's form depends on, and its response.
  var isHead = false
  var isVersion10 = false
  var framing = ResponseFraming.none
  package internal(set) var headIsOut = false
  /// The head may have been sent: it cannot be taken back.
  private var headIsCommitted = false
  /// The connection can be used for another request.
  var keepsAlive = true
  var responseIsWhole = false
  /// The end of the response is a cut that closing alone would not show.
  var resets = false

  init(_ descriptor: CInt, of set: ConnectionSet) {
    self.descriptor = descriptor
    self.set = set
    out = OutBuffer(pool: set.buffers)
    activeNs = set.loop.now
  }

  deinit { if phase != .closed { _ = Glibc.close(descriptor) } }

  func join(_ handler: (any ConnectionHandler)?) {
    self.handler = handler
    interest = [.readable, .peerClosed]
    token = set.loop.add(descriptor, interest, self)
  }

  /// Between requests.
  var isIdle: Bool { phase == .reading && parser?.isInRequest != true }

  package var isClosed: Bool { phase == .closed }

  // MARK: Events

  package func ready(_ events: Readiness, now: Int64) {
    if !events.isDisjoint(with: [.failed, .hungUp]) { return left(now: now) }
    switch phase {
    case .closed: return
    case .reading: if !events.isDisjoint(with: [.readable, .peerClosed]) { read(now: now) }
    case .responding:
      if bodyGoesOn, interest.contains(.readable) {
        if !events.isDisjoint(with: [.readable, .peerClosed]) { read(now: now) }
      } else if events.contains(.peerClosed) {
        halfClosed(now: now)
      }
      if events.contains(.writable) { send(now: now) }
    case .lingering: if !resets { discard() }
    }
  }

  private func read(now: Int64) {
    let scratch = set.scratch
    let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
    if count > 0 {
      activeNs = now
      take(UnsafeRawBufferPointer(rebasing: scratch[..<count]), now: now)
    } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
      left(now: now)
    }
  }

  /// Parses bytes until a request is whole or they are used up.
  private func take(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    let parser = self.parser ?? set.takeParser()
    self.parser = parser
    var position = 0
    do throws(RequestRefusal) {
      while true {
        let (step, taken) = try parser.take(UnsafeRawBufferPointer(rebasing: bytes[position...]))
        position += taken
        switch step {
        case .needsMore: return
        case .expectsContinue: if position == bytes.count { sendNow("HTTP/1.1 100 Continue\r\n\r\n", now: now) }
        case .request(let request):
          unread = Array(bytes[position...])
          giveParserBack(keepsAlive: request.keepsAlive)
          return begin(request, now: now)
        case .begun(let request):
          begin(request, goesOn: true, now: now)
        case .body(let piece):
          if handler?.received(piece) == false { watch(interest.subtracting(.readable)) }
        case .bodyEnd(let keepsAlive):
          unread = Array(bytes[position...])
          giveParserBack(keepsAlive: keepsAlive)
          bodyGoesOn = false
          watch(interest.subtracting(.readable).union(isHalfClosed ? [] : .peerClosed))
          handler?.bodyEnded(now: now)
          return
        }
        // A handler may have had enough of it.
        if phase == .closed || phase == .lingering { return }
      }
    } catch {
      refuse(error, now: now)
    }
  }

  /// More of a body that is streamed can be taken.
  package func readOn() {
    if bodyGoesOn, phase == .responding { watch(interest.union([.readable, .peerClosed])) }
  }

  func giveParserBack(keepsAlive: Bool) {
    guard let parser else { return }
    // Behind `Connection: close` the decoder takes nothing more.
    if !keepsAlive {
      self.parser = nil
    } else if parser.isReusable {
      set.give(parser)
      self.parser = nil
    }
  }

  private func begin(_ request: InboundRequest, goesOn: Bool = false, now: Int64) {
    bodyGoesOn = goesOn
    startResponding()
    isHead = request.method == "HEAD"
    isVersion10 = request.isVersion10
    keepsAlive = request.keepsAlive
    if goesOn { handler?.begin(streaming: request, now: now) } else { handler?.begin(request, now: now) }
  }

  private func startResponding() {
    phase = .responding
    (headIsOut, headIsCommitted) = (false, false)
    responseIsWhole = false
    resets = false
    probe = Probe()
    watch(bodyGoesOn ? [.readable, .peerClosed] : isHalfClosed ? [] : [.peerClosed])
  }

  /// Answers a request that is not taken, and closes. Inside a body that is streamed its handler learns that it is over.
  func refuse(_ refusal: RequestRefusal, now: Int64) {
    giveParserBack(keepsAlive: false)
    if bodyGoesOn {
      // Of its own response there may be a part already.
      guard !headIsOut else { return left(now: now, detail: refusal.message) }
      handler?.clientLeft(now: now, detail: refusal.message)
    }
    bodyGoesOn = false
    startResponding()
    keepsAlive = false
    isHead = false
    answer(refusal.status, code: refusal.code, message: refusal.message)
    endResponse()
    flush(now: now)
  }

  /// Reads on after a response: first what is here already.
  private func readNext() {
    phase = .reading
    activeNs = set.loop.now
    watch([.readable, .peerClosed])
    guard !unread.isEmpty || parser != nil else { return }
    set.later { [self] in
      guard phase == .reading else { return }
      let bytes = unread
      unread = []
      bytes.withUnsafeBytes { take($0, now: set.loop.now) }
    }
  }

  func watch(_ wanted: Readiness) {
    guard wanted != interest, phase != .closed else { return }
    interest = wanted
    set.loop.change(descriptor, wanted, token)
  }

  // MARK: Sending

  func sendNow(_ text: StaticString, now: Int64) {
    out.append(text)
    flush(now: now)
  }

  /// Sends all that is in `out`, as far as the client takes it.
  package func flush(now: Int64) {
    guard phase != .closed else { return }
    out.commit()
    headIsCommitted = headIsOut
    send(now: now)
  }

  /// Takes back a head that nobody can have had yet, so that another can be sent. Nothing happens behind a flush.
  package func takeHeadBack() {
    guard headIsOut, !headIsCommitted, !out.hasCommitted else { return }
    out.reset()
    headIsOut = false
  }

  /// Sends what may be sent.
  func send(now: Int64) {
    var isBroken = false
    let before = out.unsent
    out.drain { bytes in
      let count = tape_send(descriptor, bytes.baseAddress, bytes.count)
      if count < 0, errno != EAGAIN, errno != EINTR { isBroken = true }
      return max(0, count)
    }
    if isBroken { return left(now: now) }
    if out.hasCommitted {
      if out.unsent < before || stuckNs == nil { stuckNs = now }
      watch(interest.union(.writable))
    } else {
      stuckNs = nil
      if interest.contains(.writable) { watch(interest.subtracting(.writable)) }
    }
    handler?.sentSome(now: now)
    if responseIsWhole, out.isEmpty { finishResponse() }
  }

  /// Nothing more of the response will come.
  ///
  /// - Parameters:
  ///   - isClean: it is whole; otherwise the client is shown a cut.
  ///   - resets: the cut is to be a reset.
  ///   - trailers: fields behind a chunked body.
  package func endResponse(isClean: Bool = true, resets: Bool = false, trailers: [HeaderField] = []) {
    responseIsWhole = true
    out.endBody(isClean: isClean, trailers: Self.bytes(of: trailers))
    guard !isClean else { return }
    keepsAlive = false
    self.resets = resets || framing == .close
  }

  private func finishResponse() {
    responseIsWhole = false
    handler?.responseSent()
    guard phase == .responding else { return }
    // Answered before all of it was sent: the rest is thrown away with the connection.
    if bodyGoesOn { (bodyGoesOn, keepsAlive) = (false, false) }
    if keepsAlive, !set.isStopping {
      readNext()
    } else {
      phase = .lingering
      activeNs = set.loop.now
      if resets { reset() } else { linger() }
    }
  }
}
