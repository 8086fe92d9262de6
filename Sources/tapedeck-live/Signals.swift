internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// SIGINT and SIGTERM as calls on a thread of their own, where anything may be done.
enum Signals {
  /// From now on each of the two signals calls `handler` with how many came before it.
  ///
  /// Call it before other threads start: they inherit that the signals are blocked.
  static func handle(_ handler: @escaping @Sendable (_ signal: Int32, _ before: Int) -> Void) {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGINT)
    sigaddset(&set, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    detachThread {
      var set = sigset_t()
      sigemptyset(&set)
      sigaddset(&set, SIGINT)
      sigaddset(&set, SIGTERM)
      var count = 0
      while true {
        var signal: Int32 = 0
        if sigwait(&set, &signal) == 0 {
          handler(signal, count)
          count += 1
        }
      }
    }
  }
}

/// Runs `body` on a new thread; blocking work stays off the pool that runs tasks.
func detachThread(_ body: @escaping @Sendable () -> Void) {
  let box = Unmanaged.passRetained(ThreadBody(body))
  var thread = pthread_t()
  let status = pthread_create(
    &thread, nil,
    { argument in
      if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, box.toOpaque())
  if status == 0 { pthread_detach(thread) } else { box.release() }
}

private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// A flag that one thread raises and others see.
final class StopFlag: Sendable {
  private let value = Atomic(false)
  var isRaised: Bool { value.load(ordering: .acquiring) }
  func raise() { value.store(true, ordering: .releasing) }
}
