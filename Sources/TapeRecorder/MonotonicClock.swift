#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The two clocks of a recording: offsets come from the monotonic one, `startedAtNs` from the wall.
package enum MonotonicClock {
  /// ns since some fixed point; never steps.
  package static func now() -> Int64 { read(CLOCK_MONOTONIC) }

  /// ns since 1970, as the machine believes it.
  package static func wall() -> Int64 { read(CLOCK_REALTIME) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
