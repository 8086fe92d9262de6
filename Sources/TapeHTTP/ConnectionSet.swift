package import TapeLoop

/// Whoever answers the requests of one connection.
///
/// All calls come on the loop's thread.
package protocol ConnectionHandler: AnyObject {
  /// A request is whole. Nothing more is read from the client until its response is out.
  func begin(_ request: InboundRequest, now: Int64)
  /// A request whose large body is still coming in: pieces of it follow.
  func begin(streaming request: InboundRequest, now: Int64)
  /// - Returns: false if no more is to be read for now; `ServerConnection.readOn` ends that.
  func received(_ piece: [UInt8]) -> Bool
  func bodyEnded(now: Int64)
  /// The client has taken some of what is in the connection's `out`.
  func sentSome(now: Int64)
  /// The response is out to its last byte.
  func responseSent()
  /// The client is gone, or sent away for a reason, inside a response. The connection is closed behind this.
  func clientLeft(now: Int64, detail: String?)
}

extension ConnectionHandler {
  // Whoever streams no bodies is never told of one.
  package func begin(streaming request: InboundRequest, now: Int64) {}
  package func received(_ piece: [UInt8]) -> Bool { true }
  package func bodyEnded(now: Int64) {}
}

/// The connections of one server: takes them in, keeps their number bounded, looks after their deadlines.
///
/// Owned by the loop's thread.
package final class ConnectionSet: ListenerOwner {
  package let limits: ConnectionLimits
  let loop: EventLoop
  let buffers: BufferPool
  /// Where sockets are read into; nothing stays in it beyond one event.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  /// No new requests are taken; open responses go on.
  package var isStopping: Bool { stoppedNs != nil }
  /// Since when.
  private(set) var stoppedNs: Int64?
  /// Makes the one who answers a new connection. Set before `listen`, as those below.
  package var makeHandler: (ServerConnection) -> (any ConnectionHandler)? = { _ in nil }
  /// Runs work behind the events at hand, outside of any connection's own code.
  package var later: (@escaping () -> Void) -> Void = { _ in }
  /// Whether a request's large body is handed on while it comes in, instead of when it is whole.
  package var streams: (InboundRequest) -> Bool = { _ in false }
  /// Tells people what hinders the server.
  package var warn: (String) -> Void = { _ in }
  /// Called when a connection has come or gone.
  package var countChanged: (Int) -> Void = { _ in }

  private var connections: [ServerConnection] = []
  private var parsers: [RequestParser] = []
  private var listener: Listener?
  private static let keptParsers = 32
  /// Connections that are to be reset once their clients have what was sent.
  private var resetting: [ServerConnection] = []
  private var resetTimer: LoopTimer?
  private static let resetLookNs: Int64 = 1_000_000

  package init(limits: ConnectionLimits, loop: EventLoop, buffers: BufferPool) {
    self.limits = limits
    self.loop = loop
    self.buffers = buffers
    resetTimer = loop.makeTimer { [unowned self] in self.lookAtResetting(now: $0) }
  }

  deinit { scratch.deallocate() }

  package var count: Int { connections.count }

  package func listen(on listener: Listener) {
    self.listener = listener
    connectionsByFiles = limits.connectionsByFiles
    listener.join(loop, owner: self)
  }

  package func accepted(_ descriptor: CInt) {
    let connection = ServerConnection(descriptor, of: self)
    connection.index = connections.count
    connections.append(connection)
    connection.join(makeHandler(connection))
    countChanged(connections.count)
    if connections.count > limits.maxConnections {
      connection.refuse(
        RequestRefusal(
          status: 503, code: "too_many_connections",
          message: "there are \(limits.maxConnections) connections already: try again later"), now: loop.now)
    } else if connections.count - refused > connectionsByFiles || DescriptorLimit.isNearlyReached(by: descriptor) {
      let most = DescriptorLimit.most.map(String.init) ?? "all"
      connection.refuse(
        RequestRefusal(
          status: 503, code: "too_many_files",
          message: "this server has as many files open as it may, \(most) (ulimit -n): try again later"), now: loop.now)
      warnOfDescriptors(most)
      guard !connection.isClosed else { return }
      connection.isRefused = true
      refused += 1
      // No time to wait for them all to close: what is held back is for other files.
      if refused > DescriptorLimit.heldBack / 2 { connection.close() }
    }
  }

  /// Not for each client.
  private func warnOfDescriptors(_ most: String) {
    guard loop.now - warnedNs > 10_000_000_000 else { return }
    warnedNs = loop.now
    warn("connections are refused: this process has as many files open as it may, \(most) (ulimit -n)")
  }

  private var connectionsByFiles = Int.max
  /// Of the connections, those that are refused for want of files and not closed yet.
  private var refused = 0
  private var warnedNs = Int64.min / 2

  package func cannotAccept(_ reason: String) { warn("cannot accept a connection: \(reason)") }

  func forget(_ connection: ServerConnection) {
    guard connection.index >= 0, let last = connections.popLast() else { return }
    if last !== connection {
      last.index = connection.index
      connections[connection.index] = last
    }
    connection.index = -1
    if connection.isRefused { refused -= 1 }
    countChanged(connections.count)
    listener?.resume()
  }

  func takeParser() -> RequestParser {
    parsers.popLast()
      ?? RequestParser(maxHeaderBytes: limits.maxHeaderBytes, maxBodyBytes: limits.maxBodyBytes, streams: streams)
  }

  func give(_ parser: RequestParser) {
    if parsers.count < Self.keptParsers { parsers.append(parser) }
  }

  // MARK: Deadlines

  /// Closes what has stood still for too long. To be called now and then while there are connections.
  package func sweep(now: Int64) {
    listener?.resume()
    // Backwards, since closing moves the last one to the closed one's place.
    for index in connections.indices.reversed() where index < connections.count {
      connections[index].checkDeadlines(now: now)
    }
  }

  /// Has `connection` be reset as soon as its client has acknowledged all.
  func resetWhenTaken(_ connection: ServerConnection) {
    resetting.append(connection)
    if resetting.count == 1 { resetTimer?.set(loop.now + Self.resetLookNs) }
  }

  private func lookAtResetting(now: Int64) {
    resetting.removeAll { $0.resetIfTaken(now: now) }
    if !resetting.isEmpty { resetTimer?.set(now + Self.resetLookNs) }
  }

  // MARK: The end

  /// No new connections and requests; those between requests are closed.
  package func stop() {
    stopListening()
    for connection in connections.reversed() where connection.isIdle { connection.close() }
  }

  package func stopListening() {
    stoppedNs = stoppedNs ?? loop.now
    listener?.close()
    listener = nil
  }

  /// Lets go of all that is left. Behind the loop's last turn.
  ///
  /// - Parameter telling: the handlers of open responses learn that their client is gone.
  package func dismantle(telling: Bool) {
    for connection in connections.reversed() {
      if telling { connection.left(now: loop.now) } else { connection.close() }
    }
    parsers = []
    resetting = []
  }
}
