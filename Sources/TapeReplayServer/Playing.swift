internal import Crypto
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
