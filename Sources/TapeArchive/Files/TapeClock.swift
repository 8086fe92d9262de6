internal import CTapeShims

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The two clocks of a recording: one that never jumps, and the wall's.
package protocol TapeClock: Sendable {
  /// ns since some fixed moment; never falls.
  func monotonicNs() -> Int64
  /// ns since 1970, UTC.
  func wallNs() -> Int64
}

/// The machine's clocks (`CLOCK_MONOTONIC`, `CLOCK_REALTIME`).
package struct SystemClock: TapeClock {
  package init() {}

  package func monotonicNs() -> Int64 { Self.read(CLOCK_MONOTONIC) }
  package func wallNs() -> Int64 { Self.read(CLOCK_REALTIME) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
