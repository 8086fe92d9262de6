internal import Crypto
internal import NIOHTTP1
internal import TapeJSON
internal import TapeLoop
internal import TapeReplay
internal import TapeTypes

/// A recording on its way to one client.
struct Playing {
  let played: PlayedCall
  var schedule: ReplaySchedule
  var report: PlayReport
  /// The client has too much before it: nothing is added until it has taken some.
  var isHeld = false
  /// What was due before this is not late by our fault.
  var heldUntilNs = Int64.min
  private var hash = SHA256()
  let countsLateness: Bool

  init(_ played: PlayedCall, pace: ReplayPace) {
    self.played = played
    schedule = ReplaySchedule(played.call, pace: pace)
    report = PlayReport(id: played.call.open.id, status: played.response.status)
    report.ofFrames = played.call.frameCount
    countsLateness = pace != .instant && played.call.open.hasTimes || schedule.isFixed
  }

  mutating func handedOut(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    hash.update(bufferPointer: bytes)
    report.frames += 1
    report.bytes += bytes.count
    if schedule.nextNs < heldUntilNs {
      report.heldFrames += 1
    } else if countsLateness {
      report.lateness.add(now - schedule.nextNs)
    }
  }

  func finished() -> PlayReport {
    var report = report
    report.ending = played.response.ending == .whole && !played.response.isSilent ? .whole : .cut
    if report.frames == report.ofFrames { report.isExact = Array(hash.finalize()) == played.sha256 }
    return report
  }

  /// The client has gone. Who has read the last frame need not wait for the end.
  ///
  /// - Parameter hasAll: nothing that was played is unsent.
  func left(hasAll: Bool) -> PlayReport {
    if hasAll, report.frames == report.ofFrames, schedule.next != .head { return finished() }
    var report = report
    report.ending = .clientLeft
    return report
  }
}

/// The parts of a recorded response, each at its time.
extension ReplayConnection {
  /// More than this unsent, and the recording waits …
  private static let holdBytes = 1 << 20
  /// … until it is no more than this.
  private static let resumeBytes = 256 << 10
  /// At once, before other clients have their turn.
  private static let mostAtOnce = 256 << 10

  /// Hands out all that is due, in one send: each frame is a chunk of its own.
  func playDue(now: Int64) {
    guard var playing, !playing.isHeld else { return }
    // One owner of the hash while it goes on.
    self.playing = nil
    let before = out.unsent
    var isOver = false
    while let part = playing.schedule.next, playing.schedule.nextNs <= now {
      switch part {
      case .head: appendHead(playing.played)
      case .frame(let index):
        playing.played.call.raw.withUnsafeBytes { raw in
          let bytes = UnsafeRawBufferPointer(rebasing: raw[playing.played.call.frameRange(index)])
          if framing != .none { out.append(bytes) }
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
    flush(now: now)
    guard !isOver, self.playing != nil else { return }
    if out.unsent > Self.holdBytes {
      self.playing?.isHeld = true
    } else {
      setTime(max(playing.schedule.nextNs, now))
    }
  }

  /// The client has taken bytes; the recording goes on if it waited for that.
  func goOnAfterHold(now: Int64) {
    guard playing?.isHeld == true, out.unsent <= Self.resumeBytes else { return }
    playing?.isHeld = false
    playing?.heldUntilNs = now
    setTime(now)
  }

  // MARK: Parts

  private func appendHead(_ played: PlayedCall) {
    let response = played.response
    if response.isSilent {
      framing = .none
      return
    }
    var headers = response.headers
    if isHead || response.status == 204 || response.status == 304 {
      framing = .none
    } else if response.hasLength {
      framing = .length
    } else if isVersion10 {
      framing = .close
      keepsAlive = false
    } else {
      framing = .chunks
      headers.append(HeaderField("Transfer-Encoding", "chunked"))
    }
    headers.append(HeaderField("X-Tapedeck-Call", played.call.open.id.description))
    append(response.status, headers)
    if framing == .chunks { out.beginChunked() }
    if let body = response.ownBody, framing != .none { out.append(body) }
  }

  private func finish(_ response: ReplayedResponse) {
    responseIsWhole = true
    out.endBody(isClean: response.ending == .whole)
    if response.isSilent { keepsAlive = false }
    guard case .cut(let isReset) = response.ending, framing != .none || response.isSilent else { return }
    keepsAlive = false
    resets = isReset || framing == .close
  }

  func append(ownAnswer status: Int, _ body: [UInt8]) {
    append(
      status,
      [HeaderField("Content-Type", "application/json"), HeaderField("Content-Length", String(body.count))])
    if !isHead { out.append(body) }
  }

  private func append(_ status: Int, _ headers: [HeaderField]) {
    var text = "HTTP/1.1 \(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)\r\n"
    for field in headers { text += "\(field.name): \(field.value)\r\n" }
    if core.isStopping { keepsAlive = false }
    if !keepsAlive {
      text += "Connection: close\r\n"
    } else if isVersion10 {
      text += "Connection: keep-alive\r\n"
    }
    text += "\r\n"
    text.withUTF8 { out.append(UnsafeRawBufferPointer($0)) }
    out.commit()
  }

  static func error(_ code: String, _ message: String) -> JSONValue {
    ["error": ["message": .string(message), "code": .string(code), "source": "tapedeck"]]
  }
}
