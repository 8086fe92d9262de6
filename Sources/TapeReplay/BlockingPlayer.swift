package import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Plays a recorded call on the calling thread: hands out each frame when it is due, never early.
package struct BlockingPlayer: Sendable {
  /// How a replay went.
  package struct Report: Sendable, Equatable {
    package var frames = 0
    package var bytes = 0
    /// The latest that a frame was handed out, ns behind its due time.
    package var worstLatenessNs: Int64 = 0
  }

  package let pace: ReplayPace

  package init(pace: ReplayPace) {
    self.pace = pace
  }

  /// Blocks the calling thread until the last frame has been handed out, and until the recorded
  /// end of the call at the paces that keep recorded time.
  ///
  /// Deadlines are absolute on the monotonic clock, so lateness never adds up.
  ///
  /// - Parameter frame: gets the index of the frame and its bytes; what it throws ends the replay.
  @discardableResult
  package func play(_ call: RecordedCall, frame: (Int, ArraySlice<UInt8>) throws -> Void) rethrows -> Report {
    var report = Report()
    let start = Self.monotonicNs()
    for index in 0..<call.frameCount {
      // A recorded time beyond all bounds is as good as never.
      let (sum, overflow) = start.addingReportingOverflow(
        pace.dueNs(frame: index, offsetNs: call.frameOffsetNs(index)))
      let due = overflow ? Int64.max : max(0, sum)
      Self.sleep(untilNs: due)
      report.worstLatenessNs = max(report.worstLatenessNs, Self.monotonicNs() - due)
      let bytes = call.raw[call.frameRange(index)]
      try frame(index, bytes)
      report.frames += 1
      report.bytes += bytes.count
    }
    // A stream that went silent before it was cut does so again.
    if pace.keepsRecordedTime, let end = call.end?.offsetNs {
      let (due, overflow) = start.addingReportingOverflow(pace.dueNs(frame: call.frameCount, offsetNs: end))
      Self.sleep(untilNs: overflow ? .max : max(0, due))
    }
    return report
  }

  private static func monotonicNs() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }

  private static func sleep(untilNs due: Int64) {
    #if canImport(Glibc)
      var deadline = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
      while clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &deadline, nil) == EINTR {}
    #else
      while case let left = due - monotonicNs(), left > 0 {
        var pause = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        nanosleep(&pause, nil)
      }
    #endif
  }
}
