import TapeArchive
import TapeRedaction
import TapeTypes

/// The loop's end of a `BodyLane`: tapes a body that somebody else receives.
///
/// Owned by the loop's thread.
final class BodyTape {
  private let lane: BodyLane
  private let tape: CallTape
  private let loop: RecordingLoop
  /// Not staged yet: whether the body is still encoded shows with its first bytes.
  private var head: CallHead?
  /// Where the loop keeps it.
  var index = -1

  /// Opens the call.
  init(_ open: CallOpen, zeroNs: Int64, head: CallHead, lane: BodyLane, loop: RecordingLoop) {
    var open = open
    loop.secrets.clean(&open)
    loop.redactor?.clean(&open)
    self.lane = lane
    self.loop = loop
    tape = CallTape(
      open, zeroNs: zeroNs, journal: loop.journal, tally: loop.tally, redactor: loop.redactor, clock: loop.clock)
    loop.counters.opened()
    loop.bodies.add(self)
    var head = head
    head.headers = HeaderRules.endToEnd(head.headers)
    if HeaderRules.contentCoding(head.headers) == nil { stage(head) } else { self.head = head }
  }

  /// Stages what has come. Whoever waits for it goes on behind the journal's write.
  func turn() {
    let load = lane.take()
    load.bytes.withUnsafeBytes { bytes in
      if let head, !bytes.isEmpty { stage(Self.isEncoded(bytes) ? head : head.withoutCoding) }
      var start = 0
      for read in load.reads {
        tape.body(UnsafeRawBufferPointer(rebasing: bytes[start..<read.end]), now: read.ns)
        start = read.end
      }
    }
    if let outcome = load.outcome { end(outcome) }
    if load.waiter != nil { loop.later { [lane] _ in lane.settle(load) } }
  }

  /// The archive must have all, and does not take it.
  func stop(_ reason: String) {
    guard index >= 0 else { return }
    close(ExchangeOutcome(cause: .archiveStopped, detail: reason))
    lane.close(TapeError(.io, reason))
  }

  func leaveIfUnread() {
    if lane.claim() { lane.abandon() }
  }

  private func end(_ outcome: ExchangeOutcome) {
    guard index >= 0 else { return }
    close(outcome)
    lane.close(nil)
  }

  private func close(_ outcome: ExchangeOutcome) {
    if let head { stage(head) }
    let now = loop.clock.monotonicNs()
    tape.end(
      outcome.cause, detail: outcome.detail, clientClosedNs: outcome.cause == .clientClosed ? now : nil, now: now)
    loop.counters.closed()
    loop.bodies.remove(self)
  }

  /// No text: then the client that received it did not undo the coding, as most do, but left it to its caller.
  private static func isEncoded(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var start = Array(bytes.prefix(64))
    if start.contains(where: { $0 < 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }) { return true }
    // The last character may go on behind what is looked at.
    while let last = start.last, last >= 0x80, start.count > 60 || bytes.count < 4 { start.removeLast() }
    return String(validating: start, as: UTF8.self) == nil
  }

  private func stage(_ head: CallHead) {
    self.head = nil
    var head = head
    head.headers = Secrets.clean(head.headers)
    tape.head(head)
  }
}

extension CallHead {
  /// As it is of a body whose content coding was undone.
  fileprivate var withoutCoding: CallHead {
    var head = self
    head.decoded = HeaderRules.contentCoding(headers)
    head.headers.removeAll {
      HeaderRules.equal($0.name, "content-encoding") || HeaderRules.equal($0.name, "content-length")
    }
    return head
  }
}

/// The bodies that one loop tapes.
final class BodyTapes {
  private var all: [BodyTape] = []

  var isEmpty: Bool { all.isEmpty }

  func add(_ body: BodyTape) {
    body.index = all.count
    all.append(body)
  }

  func remove(_ body: BodyTape) {
    guard body.index >= 0, let last = all.popLast() else { return }
    if last !== body {
      last.index = body.index
      all[body.index] = last
    }
    body.index = -1
  }

  /// Of those that nobody has begun to read there may never be an end.
  func leaveUnread() {
    for body in all { body.leaveIfUnread() }
  }

  func stopAll(_ reason: String) {
    for body in all { body.stop(reason) }
  }
}
