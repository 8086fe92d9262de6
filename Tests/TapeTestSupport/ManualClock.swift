internal import Synchronization
internal import TapeArchive

/// A clock that stands still until it is moved.
package final class ManualClock: TapeClock {
  private let now = Mutex<(monotonic: Int64, wall: Int64)>((1_767_225_600_000_000_000, 1_767_225_600_000_000_000))

  package init() {}

  package func monotonicNs() -> Int64 { now.withLock { $0.monotonic } }
  package func wallNs() -> Int64 { now.withLock { $0.wall } }

  package func advance(seconds: Double) {
    now.withLock {
      $0.monotonic += Int64(seconds * 1e9)
      $0.wall += Int64(seconds * 1e9)
    }
  }

  /// Somebody sets the wall clock.
  package func set(wallNs: Int64) { now.withLock { $0.wall = wallNs } }
}
