import CTapeShims
import TapeTypes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A thread with one job. Loops block, so they stay out of Swift's cooperative pool.
package final class LoopThread: Sendable {
  private let finished = Signal()
  /// The least that Linux gives: what a turn takes is far less, and others that work at length must not hold it up.
  private static let sliceNs: UInt64 = 100_000

  /// - Throws: `TapeError` if the system gives no thread.
  package init(_ job: @escaping @Sendable () -> Void) throws {
    let box = Unmanaged.passRetained(
      Job { [finished] in
        Self.blockBrokenPipes()
        #if os(Linux)
          tape_prefer_short_turns(Self.sliceNs)
        #endif
        job()
        finished.raise()
      })
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, box.toOpaque())
    guard code == 0 else {
      box.release()
      throw TapeError(.failed, "cannot start a thread: \(String(cString: strerror(code)))")
    }
    // `finished` is what is waited for: the system keeps nothing of a thread that has ended.
    pthread_detach(thread)
  }

  /// TLS libraries write to sockets that may be closed; the error code says so, no signal is needed.
  private static func blockBrokenPipes() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// Blocks until the job is done.
  package func join() { finished.wait() }

  private final class Job: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}

/// A flag that threads can wait for. The primitives of pthread guard the flag, hence `@unchecked`.
private final class Signal: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var isRaised = false

  init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func raise() {
    pthread_mutex_lock(mutex)
    isRaised = true
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  func wait() {
    pthread_mutex_lock(mutex)
    while !isRaised { pthread_cond_wait(condition, mutex) }
    pthread_mutex_unlock(mutex)
  }
}
