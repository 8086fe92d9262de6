import CTapeShims
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One deadline to the nanosecond (`timerfd`), where the loop's own timers are good to the millisecond.
///
/// Owned by the loop's thread. What has many deadlines keeps them in order itself and sets the next one.
package final class PreciseTimer: EventSource {
  private let descriptor: CInt
  private let loop: EventLoop
  private let action: (_ now: Int64) -> Void
  private var token = EventToken.none
  private var deadlineNs: Int64?

  /// - Throws: `TapeError` if the process has no descriptors left.
  package init(_ loop: EventLoop, _ action: @escaping (_ now: Int64) -> Void) throws {
    descriptor = tape_timerfd()
    guard descriptor >= 0 else {
      throw TapeError(.failed, "cannot make a timer: \(String(cString: strerror(errno)))")
    }
    self.loop = loop
    self.action = action
  }

  deinit { _ = Glibc.close(descriptor) }

  /// Puts the timer into the loop's set, which then keeps it.
  package func join() { token = loop.add(descriptor, .readable, self) }

  package func leave() { loop.remove(descriptor, token) }

  /// Fires once at `deadlineNs` (monotonic), at once if that is past, or never for nil; replaces what was set before.
  package func set(_ deadlineNs: Int64?) {
    guard deadlineNs != self.deadlineNs else { return }
    self.deadlineNs = deadlineNs
    // 0 would stop it.
    tape_timerfd_set(descriptor, deadlineNs.map { max(1, $0) } ?? 0)
  }

  package func ready(_ events: Readiness, now: Int64) {
    // Setting it anew also forgets that it has fired: no read is needed.
    deadlineNs = nil
    action(now)
    if deadlineNs == nil { tape_timerfd_set(descriptor, 0) }
  }
}
