internal import Logging
internal import TapeHTTP
internal import TapeJSON
internal import TapeLoop
internal import TapeReplay
internal import TapeTypes

/// What all connections of one replay server share. Owned by the loop's thread; `@unchecked Sendable` says no more than
/// that the reference may be handed to that thread.
final class ReplayCore: @unchecked Sendable {
  let options: ReplayServerOptions
  let loop: EventLoop
  let log: Logger
  private(set) var totals = ReplayTotals()
  private let matcher: Matcher
  private let connections: ConnectionSet
  private var timer: PreciseTimer?
  private var sweepTimer: LoopTimer?
  private var due = DueQueue<(client: ReplayClient, turn: Int)>()
  private var deferred: [() -> Void] = []
  private var lastTicket = 0
  /// Those whose request is being looked at.
  private var waiting: [Int: ReplayClient] = [:]
  /// For each recording that is being read, who waits for it.
  private var reading: [CallID: [Int]] = [:]
  private var played: PlayedCalls
  var lateStarts = LateStarts()

  init(options: ReplayServerOptions, loop: EventLoop, matcher: Matcher) throws {
    self.options = options
    self.loop = loop
    self.matcher = matcher
    log = options.logger
    played = PlayedCalls(matcher.archive, mostBytes: options.cacheBytes)
    connections = ConnectionSet(limits: options.limits, loop: loop, buffers: BufferPool())
    connections.makeHandler = { [unowned self] in ReplayClient($0, of: self) }
    connections.later = { [unowned self] in self.deferred.append($0) }
    connections.warn = { [log] in log.warning("\($0)") }
    timer = try PreciseTimer(loop) { [unowned self] in self.play(now: $0) }
    sweepTimer = loop.makeTimer { [unowned self] in self.sweep(now: $0) }
    sweepTimer?.set(loop.now + Self.sweepNs)
    loop.endOfBatch = { [unowned self] _ in self.endBatch() }
  }

  func listen(on listener: Listener) {
    connections.listen(on: listener)
    timer?.join()
  }

  // MARK: Requests

  /// Has the recording for a request found and read; the connection is told.
  func find(_ request: InboundRequest, for client: ReplayClient) -> Int {
    lastTicket += 1
    let ticket = lastTicket
    waiting[ticket] = client
    totals.requests += 1
    matcher.find(method: request.method, target: request.target, body: request.body) { [self] finding in
      loop.poster.post { self.found(finding, ticket) }
    }
    return ticket
  }

  func forget(ticket: Int) { waiting[ticket] = nil }

  private func found(_ finding: Matcher.Finding, _ ticket: Int) {
    switch finding {
    case .health: waiting.removeValue(forKey: ticket)?.answer(200, Array(#"{"status":"ok"}"#.utf8))
    case .none(let answer):
      totals.unmatched += 1
      log.notice("\(answer["error"]?["message"]?.string ?? "no recording")")
      waiting.removeValue(forKey: ticket)?.answer(404, answer.compact)
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
    let clients = (reading.removeValue(forKey: id) ?? []).compactMap { waiting.removeValue(forKey: $0) }
    switch result {
    case .success(let call):
      played.keep(call, now: loop.now)
      for client in clients { client.play(call) }
    case .failure(let error):
      totals.unreadable += 1
      log.error("call \(id) cannot be replayed: \(error.description)")
      let isErased = error.code == .erased
      for client in clients {
        client.fail(
          isErased ? 410 : 500, code: isErased ? "recording_erased" : "recording_unreadable", message: error.description
        )
      }
    }
  }

  // MARK: Playing

  /// Has `client` go on at this time.
  func schedule(_ client: ReplayClient, atNs: Int64) {
    due.add((client, client.turn), dueNs: atNs)
  }

  private func play(now: Int64) {
    var now = now
    // Not for ever: sockets have their turn too.
    for _ in 0..<Self.mostAtOnce {
      guard let nextNs = due.nextNs, nextNs - now <= Self.leadNs else { break }
      while now < nextNs { now = MonotonicClock.nowNs }
      guard let next = due.next(now: now) else { break }
      if next.client.turn == next.turn { next.client.playDue(now: now) }
      now = MonotonicClock.nowNs
    }
    setTimer()
  }

  private static let mostAtOnce = 256
  /// Being woken takes longer than this, so the timer is set so much before the time, and what is left is waited for
  /// awake: never early, and at most so long a frame.
  private static let leadNs: Int64 = 10_000

  private func setTimer() { timer?.set(due.nextNs.map { $0 - Self.leadNs }) }

  private func endBatch() {
    while !deferred.isEmpty {
      let work = deferred
      deferred = []
      for item in work { item() }
    }
    setTimer()
    if connections.isStopping, connections.count == 0 { loop.stop() }
  }

  func ended(_ report: PlayReport) {
    totals.add(report)
    log.notice("\(report.line)")
  }

  // MARK: The end

  private static let sweepNs: Int64 = 1_000_000_000

  private func sweep(now: Int64) {
    connections.sweep(now: now)
    played.dropOld(now: now)
    if hasRead { matcher.rest() }
    hasRead = hasRead && now - lastReadNs < 2 * Self.sweepNs
    sweepTimer?.set(now + Self.sweepNs)
  }

  /// No new connections; the loop ends when the last response is out.
  func stop() { connections.stop() }

  /// Ends the loop where it stands.
  func stopNow() {
    connections.stopListening()
    loop.stop()
  }

  /// On the loop's thread, behind its last turn.
  func dismantle() {
    connections.dismantle(telling: true)
    timer?.leave()
    timer = nil
    waiting = [:]
    due = DueQueue()
  }
}
