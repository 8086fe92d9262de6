import Synchronization

/// A number that two threads share.
final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func bump() { count.withLock { $0 += 1 } }
}
