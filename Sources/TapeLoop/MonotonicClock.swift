#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The clock that deadlines are told in (`CLOCK_MONOTONIC`).
package enum MonotonicClock {
  /// ns since some fixed moment; never falls.
  package static var nowNs: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
