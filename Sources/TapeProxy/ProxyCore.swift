import Logging
import TapeHTTP
import TapeJSON
import TapeRecorder
import TapeRedaction
import TapeTypes

/// What all connections of one proxy share. Owned by the loop's thread.
final class ProxyCore {
  let options: ProxyOptions
  let loop: RecordingLoop
  let log: Logger
  private let connections: ConnectionSet

  init(options: ProxyOptions, loop: RecordingLoop) {
    self.options = options
    self.loop = loop
    log = options.recorder.logger
    var limits = options.limits
    limits.filesPerConnection = 2
    limits.stuckNs = Int64(options.recorder.idleTimeoutSeconds * 1e9)
    connections = ConnectionSet(limits: limits, loop: loop.events, buffers: loop.buffers)
    connections.makeHandler = { [unowned self] in ProxiedClient($0, of: self) }
    connections.streams = { [unowned self] in self.isPassedThrough($0) }
    connections.later = { work in loop.later { _ in work() } }
    connections.warn = { [log] in log.warning("\($0)") }
    connections.countChanged = { count in
      loop.counters.setConnections(count)
      if count > 0 { loop.keepSweeping() }
    }
    loop.hasOtherDeadlines = { [unowned self] in self.connections.count > 0 }
    loop.addSweeper { [unowned self] in self.connections.sweep(now: $0) }
    loop.afterBatch = { [unowned self] in self.endIfIdle() }
  }

  func listen(on listener: Listener) { connections.listen(on: listener) }

  // MARK: Requests

  /// Whether a request's body is of no interest for the tape: a generation's is on it, as a whole.
  private func isPassedThrough(_ request: InboundRequest) -> Bool {
    guard let route = options.routes.first(where: { $0.target(for: request.target) != nil }),
      let target = route.target(for: request.target)
    else { return false }
    return !GenerationEndpoints.contains(method: request.method, target: target)
  }

  /// What goes upstream for a client's request, and what of it goes on tape; nil if nobody is there for its path.
  func upstreamRequest(_ request: InboundRequest, now: Int64) -> UpstreamRequest? {
    var found: (upstream: UpstreamURL, target: String)?
    for route in options.routes {
      guard let target = route.target(for: request.target) else { continue }
      found = (route.upstream, target)
      break
    }
    guard let (upstream, target) = found else { return nil }
    let wallNs = loop.wallNs(at: now)
    let isGeneration = GenerationEndpoints.contains(method: request.method, target: target)
    var body = request.body
    var open = CallOpen(
      id: loop.newCallID(wallNs: wallNs), startedAtNs: wallNs, origin: .proxy, upstream: upstream.origin,
      method: request.method, path: target, headers: request.headers, salt: RecordingLoop.newSalt())
    loop.secrets.clean(&open)
    if options.ensureUsage, isGeneration, let asking = EnsureUsage.applied(to: body, target: target) {
      body = asking
      open.redactions.append(EnsureUsage.note)
    }
    open.body = body
    loop.redactor?.clean(&open)
    return UpstreamRequest(
      upstream: upstream, method: request.method, target: target,
      headers: UpstreamRequest.forwarded(request.headers, to: upstream), body: body, hasBody: request.hasBody,
      open: open, isGeneration: isGeneration, zeroNs: now)
  }

  /// What `/healthz` says.
  var health: (status: Int, json: JSONValue) {
    guard loop.isArchiveFailing else { return (200, ["status": "ok"]) }
    let reason = JSONValue.string(loop.archiveFailure)
    return options.recorder.onArchiveFailure == .pass
      ? (200, ["status": "not_recording", "reason": reason]) : (503, ["status": "failing", "reason": reason])
  }

  // MARK: The end

  /// No new connections; the loop ends when the last response is out.
  func stop() { connections.stop() }

  /// Ends the loop where it stands.
  func stopNow() {
    connections.stopListening()
    loop.finish()
  }

  /// On the loop's thread, behind its last turn.
  func dismantle() { connections.dismantle(telling: false) }

  private func endIfIdle() {
    if connections.isStopping, connections.count == 0, loop.openExchanges == 0 { loop.finish() }
  }
}
