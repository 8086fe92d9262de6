internal import TapeLoop

/// A client that sends no more.
extension ServerConnection {
  /// Either it has gone, or it has said all it had to say and goes on reading: the first byte it gets tells. One that has
  /// gone answers with a reset.
  func halfClosed(now: Int64) {
    guard !isHalfClosed else { return }
    isHalfClosed = true
    watch(interest.subtracting(.peerClosed))
    sendProbe(now: now)
  }

  /// Something that says nothing: an interim response, or a zero in front of the next chunk's size.
  func sendProbe(now: Int64) {
    // What waits to be sent will tell as well.
    guard out.isEmpty, !responseIsWhole, probe.isDue(now: now) else { return }
    if !headIsOut {
      if !isVersion10 { sendNow("HTTP/1.1 100 Continue\r\n\r\n", now: now) }
    } else if out.padChunkSize() {
      send(now: now)
    }
  }
}

/// When a client that sends no more is looked after: at once, then less and less often. Not for ever, since each look at a
/// chunked body adds a digit to the size of the chunk that comes next, and clients take sixteen.
struct Probe {
  private static let most = 8
  private var count = 0
  private var nextNs = Int64.min

  mutating func isDue(now: Int64) -> Bool {
    guard count < Self.most, now >= nextNs else { return false }
    nextNs = now + 1_000_000_000 << Int64(count)
    count += 1
    return true
  }
}
