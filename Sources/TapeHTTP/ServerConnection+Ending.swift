internal import CTapeShims
internal import TapeLoop

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How a connection ends: by what its client does, behind its last response, or as it has stood still for too long.
extension ServerConnection {
  /// Closes so that the client gets all that was sent: a close with bytes unread would be a reset.
  func linger() {
    shutdown(descriptor, CInt(SHUT_WR))
    watch([.readable, .peerClosed])
    discard()
  }

  func discard() {
    let scratch = set.scratch
    for _ in 0..<16 {
      let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
      if count > 0 { continue }
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      return close()
    }
  }

  /// A body that ends with the connection can be shown as cut only by a reset, and a reset throws away what the client has
  /// not acknowledged: so wait for that.
  func reset() {
    watch([])
    if !resetIfTaken(now: activeNs) { set.resetWhenTaken(self) }
  }

  /// - Returns: whether the connection is closed.
  func resetIfTaken(now: Int64) -> Bool {
    guard phase == .lingering else { return true }
    guard tape_unacknowledged(descriptor) == 0 || now - activeNs > set.limits.lingerNs else { return false }
    var hard = Glibc.linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<Glibc.linger>.size))
    close()
    return true
  }

  /// The client went away, or is sent away.
  package func left(now: Int64, detail: String? = nil) {
    guard phase != .closed else { return }
    if phase == .responding { handler?.clientLeft(now: now, detail: detail) }
    close()
  }

  package func close() {
    guard phase != .closed else { return }
    phase = .closed
    handler = nil
    out.reset()
    giveParserBack(keepsAlive: true)
    parser = nil
    set.loop.remove(descriptor, token)
    _ = Glibc.close(descriptor)
    set.forget(self)
  }

  private static let tooSlow = RequestRefusal(
    status: 408, code: "request_timeout", message: "the request did not come to its end")

  /// Closes what has stood still for too long.
  func checkDeadlines(now: Int64) {
    let still = now - activeNs
    switch phase {
    case .closed: return
    case .reading:
      if parser?.isInHead == true, let stoppedNs = set.stoppedNs, now - stoppedNs > set.limits.lingerNs {
        refuse(RequestRefusal(status: 503, code: "stopping", message: "this server is stopping"), now: now)
      } else if parser?.isInRequest == true {
        if still > set.limits.requestTimeoutNs { refuse(Self.tooSlow, now: now) }
      } else if still > set.limits.keepAliveNs {
        close()
      }
    case .responding:
      if isHalfClosed { sendProbe(now: now) }
      if bodyGoesOn, interest.contains(.readable), still > set.limits.requestTimeoutNs {
        return refuse(Self.tooSlow, now: now)
      }
      guard set.limits.stuckNs > 0, let stuckNs, now - stuckNs > set.limits.stuckNs else { return }
      left(now: now, detail: "the client stopped reading")
    case .lingering: if !resets, still > set.limits.lingerNs { close() }
    }
  }
}
