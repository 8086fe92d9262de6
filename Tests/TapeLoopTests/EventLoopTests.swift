import Synchronization
import TapeLoop
import Testing

struct EventLoopTests {
  @Test func postedWorkRunsInOrderAndTimersFireByDeadline() throws {
    let loop = try EventLoop()
    let log = Mutex<[String]>([])
    let poster = loop.poster
    let late = loop.makeTimer { _ in
      log.withLock { $0.append("late") }
      loop.stop()
    }
    let early = loop.makeTimer { _ in
      log.withLock { $0.append("early") }
      poster.post { log.withLock { $0.append("posted by early") } }
      late.set(loop.now + 1_000_000)
    }
    let never = loop.makeTimer { _ in log.withLock { $0.append("never") } }
    never.set(loop.now)
    never.set(nil)
    poster.post { log.withLock { $0.append("first") } }
    poster.post { log.withLock { $0.append("second") } }
    early.set(loop.now + 1_000_000)
    loop.run()
    #expect(log.withLock { $0 } == ["first", "second", "early", "posted by early", "late"])
  }

  @Test func workPostedFromManyThreadsIsNeverLost() async throws {
    let loop = try EventLoop()
    let count = Counter()
    let poster = loop.poster
    nonisolated(unsafe) let unsafeLoop = loop
    let thread = try LoopThread { unsafeLoop.run() }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<5000 { poster.post { count.bump() } }
        }
      }
    }
    poster.post { unsafeLoop.stop() }
    thread.join()
    #expect(count.value == 40_000)
  }
}

private final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func bump() { count.withLock { $0 += 1 } }
}
