internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The write end of the pipe that the signal handler tells of signals by; set once, before it is installed.
nonisolated(unsafe) private var signalPipe: Int32 = -1

/// The signals that ask for an end, as calls on a thread of their own, where anything may be done.
enum Signals {
  /// Ctrl-C, `kill`, a terminal that is closed, Ctrl-\.
  private static let numbers = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

  /// From now on each of these signals calls `handler` with how many came before it.
  static func handle(_ handler: @escaping @Sendable (_ signal: Int32, _ before: Int) -> Void) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return }
    let readEnd = ends[0]
    signalPipe = ends[1]
    detachThread {
      var count = 0
      var number: UInt8 = 0
      while true {
        let got = read(readEnd, &number, 1)
        if got == 1 {
          // Shell and kernel both tell of a terminal that is closed: that is one end, not the second call for it.
          if Int32(number) == SIGHUP, count > 0 { continue }
          handler(Int32(number), count)
          count += 1
        } else if got == 0 || errno != EINTR {
          return
        }
      }
    }
    for number in numbers {
      // Only write(2) here: a signal handler may do next to nothing.
      let before = signal(number) { number in
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(signalPipe, &byte, 1)
      }
      // `nohup` wants this one to be without effect.
      if number == SIGHUP, unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
        signal(number, SIG_IGN)
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

/// Lets the other threads of this process, and other processes, go first where there are too few processors: for work
/// that has time. On Linux a thread has a nice value of its own.
func yieldToOtherThreads() {
  #if canImport(Glibc)
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
  #endif
}

private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// A flag that one thread raises and others see or wait for.
final class StopFlag: Sendable {
  private let value = Atomic(false)
  private let raised = DispatchSemaphore(value: 0)

  var isRaised: Bool { value.load(ordering: .acquiring) }

  func raise() {
    value.store(true, ordering: .releasing)
    raised.signal()
  }

  /// Blocks until the flag is up, or for so many seconds.
  func wait(seconds: Int? = nil) {
    guard !isRaised else { return }
    if raised.wait(timeout: seconds.map { .now() + .seconds($0) } ?? .distantFuture) == .success {
      // For the next one who waits.
      raised.signal()
    }
  }
}

/// How long ago a stop began, for work that can be left to the next start.
final class StopTime: Sendable {
  private let startedNs = Atomic<UInt64>(.max)

  func start() { startedNs.store(DispatchTime.now().uptimeNanoseconds, ordering: .releasing) }

  func isOver(afterSeconds seconds: Int) -> Bool {
    let started = startedNs.load(ordering: .acquiring)
    return started != .max && DispatchTime.now().uptimeNanoseconds >= started + UInt64(seconds) * 1_000_000_000
  }
}
