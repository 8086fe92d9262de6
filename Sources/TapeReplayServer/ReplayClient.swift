internal import TapeHTTP
internal import TapeJSON
internal import TapeLoop
internal import TapeReplay
internal import TapeTypes

/// Has the recordings for one client's requests found, and plays each part at its time.
///
/// Owned by the loop's thread.
final class ReplayClient: ConnectionHandler {
  private let core: ReplayCore
  private let connection: ServerConnection
  /// Under which the recording for the request at work is being looked for.
  private var ticket: Int?
  private var requestNs: Int64 = 0
  private var playing: Playing?
  /// Tells a time that was set for it from one that does not count any more.
  private(set) var turn = 0

  /// More than this unsent, and the recording waits …
  private static let holdBytes = 1 << 20
  /// … until it is no more than this.
  private static let resumeBytes = 256 << 10
  /// At once, before other clients have their turn.
  private static let mostAtOnce = 256 << 10

  init(_ connection: ServerConnection, of core: ReplayCore) {
    self.connection = connection
    self.core = core
  }

  // MARK: The connection

  func begin(_ request: InboundRequest, now: Int64) {
    requestNs = now
    ticket = core.find(request, for: self)
  }

  /// The recording goes on if it waited for the client to take bytes.
  func sentSome(now: Int64) {
    guard playing?.isHeld == true, connection.out.unsent <= Self.resumeBytes else { return }
    playing?.isHeld = false
    playing?.heldUntilNs = now
    setTime(now)
  }

  func responseSent() {
    if let playing { core.ended(playing.finished()) }
    rest()
  }

  func clientLeft(now: Int64, detail: String?) {
    if let ticket { core.forget(ticket: ticket) }
    if let playing { core.ended(playing.left(hasAll: connection.out.isEmpty)) }
    rest()
  }

  private func rest() {
    (ticket, playing) = (nil, nil)
    turn += 1
  }

  // MARK: What was found

  func play(_ call: PlayedCall) {
    guard ticket != nil else { return }
    ticket = nil
    let now = MonotonicClock.nowNs
    var playing = Playing(call, pace: core.options.pace)
    playing.schedule.start(requestNs: requestNs, now: now) { now in
      core.options.pace == .instant ? now : core.lateStarts.next(now: now)
    }
    if playing.countsLateness { playing.report.delayNs = playing.schedule.delayNs }
    self.playing = playing
    setTime(playing.schedule.nextNs)
  }

  /// A response of the server's own.
  func answer(_ status: Int, _ json: [UInt8]) {
    guard ticket != nil else { return }
    ticket = nil
    connection.answer(status, json: json + [0x0A])
    connection.endResponse()
    connection.flush(now: core.loop.now)
  }

  func fail(_ status: Int, code: String, message: String) {
    answer(status, ServerError.json(code, message).compact)
  }

  // MARK: Playing

  /// Whoever set a time before this set it for something else.
  private func setTime(_ atNs: Int64) {
    turn += 1
    core.schedule(self, atNs: atNs)
  }

  /// Hands out all that is due, in one send: each frame is a chunk of its own.
  func playDue(now: Int64) {
    guard var playing, !playing.isHeld else { return }
    // One owner of the hash while it goes on.
    self.playing = nil
    let out = connection.out
    let before = out.unsent
    var isOver = false
    while let part = playing.schedule.next, playing.schedule.nextNs <= now {
      switch part {
      case .head: appendHead(playing.played)
      case .frame(let index):
        playing.played.call.raw.withUnsafeBytes { raw in
          let bytes = UnsafeRawBufferPointer(rebasing: raw[playing.played.call.frameRange(index)])
          if connection.hasBody { out.append(bytes) }
          out.commit()
          playing.handedOut(bytes, now: now)
        }
      case .end:
        finish(playing.played.response)
        isOver = true
      }
      playing.schedule.advance()
      if out.unsent - before > Self.mostAtOnce { break }
    }
    self.playing = playing
    connection.flush(now: now)
    guard !isOver, self.playing != nil else { return }
    if out.unsent > Self.holdBytes {
      self.playing?.isHeld = true
    } else {
      setTime(max(playing.schedule.nextNs, now))
    }
  }

  private func appendHead(_ played: PlayedCall) {
    let response = played.response
    if response.isSilent { return connection.stayAwayWithoutHead() }
    connection.appendHead(response.status, response.headers, call: played.call.open.id)
    connection.out.commit()
    if let body = response.ownBody, connection.hasBody { connection.out.append(body) }
  }

  private func finish(_ response: ReplayedResponse) {
    if case .cut(let isReset) = response.ending, connection.hasBody || response.isSilent {
      connection.endResponse(isClean: false, resets: isReset)
    } else {
      connection.endResponse()
    }
  }
}
