internal import Logging
internal import TapeHTTP
internal import TapeJSON
internal import TapeLoop
internal import TapeReplay
internal import TapeTypes

/// What all connections of one replay server share. Owned by the loop's thread; `@unchecked Sendable` says no more than
/// that the reference may be handed to that thread.
final class ReplayCore: ListenerOwner, @unchecked Sendable {
  let options: ReplayServerOptions
  let loop: EventLoop
  let log: Logger
  let buffers = BufferPool()
  /// Where sockets are read into; nothing stays in it beyond one event.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  private(set) var isStopping = false
  private(set) var totals = ReplayTotals()
  private let matcher: Matcher
  private var listener: Listener?
  private var connections: [ReplayConnection] = []
  private var parsers: [RequestParser] = []
  private static let keptParsers = 32
  private var timer: PreciseTimer?
  private var sweepTimer: LoopTimer?
  private var due = DueQueue<(connection: ReplayConnection, turn: Int)>()
  private var deferred: [ReplayConnection] = []
  private var lastTicket = 0
  /// Those whose request is being looked at.
  private var waiting: [Int: ReplayConnection] = [:]
  /// For each recording that is being read, who waits for it.
  private var reading: [CallID: [Int]] = [:]
  private var played: PlayedCalls

  init(options: ReplayServerOptions, loop: EventLoop, matcher: Matcher) throws {
    self.options = options
    self.loop = loop
    self.matcher = matcher
    log = options.logger
    played = PlayedCalls(mostBytes: options.cacheBytes)
    timer = try PreciseTimer(loop) { [unowned self] in self.play(now: $0) }
    sweepTimer = loop.makeTimer { [unowned self] in self.sweep(now: $0) }
    sweepTimer?.set(loop.now + Self.sweepNs)
    loop.endOfBatch = { [unowned self] _ in self.endBatch() }
  }

  deinit { scratch.deallocate() }

  // MARK: Connections

  func listen(on listener: Listener) {
    self.listener = listener
    listener.join(loop, owner: self)
    timer?.join()
  }

  func accepted(_ descriptor: CInt) {
    let connection = ReplayConnection(descriptor, core: self)
    connection.index = connections.count
    connections.append(connection)
    connection.join()
    if connections.count > options.maxConnections {
      connection.refuse(
        RequestRefusal(
          status: 503, code: "too_many_connections",
          message: "there are \(options.maxConnections) connections already: try again later"))
    }
  }

  func cannotAccept(_ reason: String) { log.warning("cannot accept a connection: \(reason)") }

  func forget(_ connection: ReplayConnection) {
    guard connection.index >= 0, let last = connections.popLast() else { return }
    if last !== connection {
      last.index = connection.index
      connections[connection.index] = last
    }
    connection.index = -1
    listener?.resume()
  }

  func takeParser() -> RequestParser {
    parsers.popLast() ?? RequestParser(maxHeaderBytes: options.maxHeaderBytes, maxBodyBytes: options.maxBodyBytes)
  }

  func give(_ parser: RequestParser) {
    if parsers.count < Self.keptParsers { parsers.append(parser) }
  }

  // MARK: Requests

  /// Has the recording for a request found and read; the connection is told.
  func find(_ request: InboundRequest, for connection: ReplayConnection) -> Int {
    lastTicket += 1
    let ticket = lastTicket
    waiting[ticket] = connection
    totals.requests += 1
    matcher.find(method: request.method, target: request.target, body: request.body) { [self] finding in
      loop.poster.post { self.found(finding, ticket) }
    }
    return ticket
  }

  func forget(ticket: Int) { waiting[ticket] = nil }

  private func found(_ finding: Matcher.Finding, _ ticket: Int) {
    switch finding {
    case .health: waiting.removeValue(forKey: ticket)?.answer(200, #"{"status":"ok"}"#)
    case .none(let answer):
      totals.unmatched += 1
      log.notice("\(answer["error"]?["message"]?.string ?? "no recording")")
      waiting.removeValue(forKey: ticket)?.answer(404, String(decoding: answer.compact, as: UTF8.self))
    case .recording(let choice):
      if let call = played.find(choice.id, now: loop.now) {
        waiting.removeValue(forKey: ticket)?.play(call)
      } else if reading[choice.id] != nil {
        reading[choice.id]?.append(ticket)
      } else {
        reading[choice.id] = [ticket]
        matcher.read(choice) { [self] result in loop.poster.post { self.read(choice.id, result) } }
      }
    }
  }

  private var hasRead = false
  private var lastReadNs: Int64 = 0

  private func read(_ id: CallID, _ result: Result<PlayedCall, TapeError>) {
    (hasRead, lastReadNs) = (true, loop.now)
    let connections = (reading.removeValue(forKey: id) ?? []).compactMap { waiting.removeValue(forKey: $0) }
    switch result {
    case .success(let call):
      played.keep(call, now: loop.now)
      for connection in connections { connection.play(call) }
    case .failure(let error):
      totals.unreadable += 1
      log.error("call \(id) cannot be replayed: \(error.description)")
      let isErased = error.code == .erased
      for connection in connections {
        connection.fail(
          isErased ? 410 : 500, code: isErased ? "recording_erased" : "recording_unreadable", message: error.description
        )
      }
    }
  }

  // MARK: Playing

  /// Has `connection` go on at this time.
  func schedule(_ connection: ReplayConnection, atNs: Int64) {
    due.add((connection, connection.turn), dueNs: atNs)
  }

  private func play(now: Int64) {
    var now = now
    // Not for ever: sockets have their turn too.
    for _ in 0..<Self.mostAtOnce {
      guard let nextNs = due.nextNs, nextNs - now <= Self.leadNs else { break }
      while now < nextNs { now = MonotonicClock.nowNs }
      guard let next = due.next(now: now) else { break }
      if next.connection.turn == next.turn { next.connection.goOn(now: now) }
      now = MonotonicClock.nowNs
    }
    setTimer()
  }

  private static let mostAtOnce = 256
  /// Being woken takes longer than this, so the timer is set so much before the time, and what is left is waited for
  /// awake: never early, and at most so long a frame.
  private static let leadNs: Int64 = 10_000

  private func setTimer() { timer?.set(due.nextNs.map { $0 - Self.leadNs }) }

  /// Runs behind the events at work, outside of any connection's own code.
  func later(_ connection: ReplayConnection) { deferred.append(connection) }

  private func endBatch() {
    while !deferred.isEmpty {
      let work = deferred
      deferred = []
      for connection in work { connection.readWhatIsHere() }
    }
    setTimer()
    if isStopping, connections.isEmpty { loop.stop() }
  }

  func ended(_ report: PlayReport) {
    totals.add(report)
    log.notice("\(report.line)")
  }

  // MARK: The end

  private static let sweepNs: Int64 = 1_000_000_000

  private func sweep(now: Int64) {
    listener?.resume()
    // Backwards, since closing moves the last one to the closed one's place.
    for index in connections.indices.reversed() where index < connections.count {
      connections[index].checkDeadlines(now: now)
    }
    played.dropOld(now: now)
    if hasRead { matcher.rest() }
    hasRead = hasRead && now - lastReadNs < 2 * Self.sweepNs
    sweepTimer?.set(now + Self.sweepNs)
  }

  /// No new connections; the loop ends when the last response is out.
  func stop() {
    isStopping = true
    listener?.close()
    listener = nil
    for connection in connections.reversed() where connection.isIdle { connection.close() }
  }

  /// Ends the loop where it stands.
  func stopNow() {
    isStopping = true
    listener?.close()
    listener = nil
    loop.stop()
  }

  /// On the loop's thread, behind its last turn.
  func dismantle() {
    for connection in connections.reversed() { connection.left() }
    timer?.leave()
    timer = nil
    parsers = []
    waiting = [:]
    due = DueQueue()
  }
}
