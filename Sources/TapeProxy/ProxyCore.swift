import Logging
import TapeHTTP
import TapeRecorder
import TapeRedaction
import TapeTypes

/// What all connections of one proxy share. Owned by the loop's thread.
final class ProxyCore: ListenerOwner {
  let options: ProxyOptions
  let loop: RecordingLoop
  let log: Logger
  /// Where sockets are read into; nothing stays in it beyond one event.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  private(set) var isStopping = false
  private var connections: [ClientConnection] = []
  private var parsers: [RequestParser] = []
  private var listener: Listener?
  private static let keptParsers = 32

  init(options: ProxyOptions, loop: RecordingLoop) {
    self.options = options
    self.loop = loop
    log = options.recorder.logger
    loop.hasOtherDeadlines = { [unowned self] in !self.connections.isEmpty }
    loop.addSweeper { [unowned self] in self.sweep(now: $0) }
    loop.afterBatch = { [unowned self] in self.endIfIdle() }
  }

  deinit { scratch.deallocate() }

  // MARK: Connections

  func listen(on listener: Listener) {
    self.listener = listener
    listener.join(loop.events, owner: self)
  }

  func accepted(_ descriptor: CInt) {
    let connection = ClientConnection(descriptor, proxy: self)
    connection.index = connections.count
    connections.append(connection)
    loop.counters.setConnections(connections.count)
    connection.join()
    loop.keepSweeping()
    if connections.count > options.maxConnections {
      connection.refuse(
        RequestRefusal(
          status: 503, code: "too_many_connections",
          message: "there are \(options.maxConnections) connections already: try again later"))
    }
  }

  func cannotAccept(_ reason: String) { log.warning("cannot accept a connection: \(reason)") }

  func forget(_ connection: ClientConnection) {
    guard connection.index >= 0, let last = connections.popLast() else { return }
    if last !== connection {
      last.index = connection.index
      connections[connection.index] = last
    }
    connection.index = -1
    loop.counters.setConnections(connections.count)
    listener?.resume()
  }

  func takeParser() -> RequestParser {
    parsers.popLast()
      ?? RequestParser(maxHeaderBytes: options.maxHeaderBytes, maxBodyBytes: options.maxBodyBytes)
  }

  func give(_ parser: RequestParser) {
    if parsers.count < Self.keptParsers { parsers.append(parser) }
  }

  var openConnections: Int { connections.count }

  private func sweep(now: Int64) {
    listener?.resume()
    // Backwards, since closing moves the last one to the closed one's place.
    for index in connections.indices.reversed() where index < connections.count {
      connections[index].checkDeadlines(now: now)
    }
  }

  // MARK: Requests

  /// What goes upstream for a client's request, and what of it goes on tape.
  func upstreamRequest(_ request: InboundRequest, now: Int64) -> UpstreamRequest {
    let target = options.upstream.prefix + request.target
    let wallNs = loop.wallNow
    let isGeneration = GenerationEndpoints.contains(method: request.method, target: target)
    var body = request.body
    var open = CallOpen(
      id: loop.newCallID(wallNs: wallNs), startedAtNs: wallNs, origin: .proxy, upstream: options.upstream.origin,
      method: request.method, path: target, headers: request.headers, salt: RecordingLoop.newSalt())
    loop.secrets.clean(&open)
    if options.ensureUsage, isGeneration, let asking = EnsureUsage.applied(to: body, target: target) {
      body = asking
      open.redactions.append(EnsureUsage.note)
    }
    open.body = body
    loop.redactor?.clean(&open)
    return UpstreamRequest(
      upstream: options.upstream, method: request.method, target: target,
      headers: UpstreamRequest.forwarded(request.headers, to: options.upstream), body: body, hasBody: request.hasBody,
      open: open, isGeneration: isGeneration, zeroNs: now)
  }

  // MARK: The end

  /// No new connections; the loop ends when the last response is out.
  func stop() {
    isStopping = true
    listener?.close()
    listener = nil
    for connection in connections where connection.phase == .reading && connection.parser?.isInRequest != true {
      connection.close()
    }
  }

  /// Ends the loop where it stands.
  func stopNow() {
    listener?.close()
    listener = nil
    loop.finish()
  }

  /// On the loop's thread, behind its last turn.
  func dismantle() {
    for connection in connections.reversed() { connection.close() }
    parsers = []
  }

  private func endIfIdle() {
    if isStopping, connections.isEmpty, loop.openExchanges == 0 { loop.finish() }
  }
}
