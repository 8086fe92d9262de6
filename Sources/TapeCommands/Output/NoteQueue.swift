internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Writes to stderr on a thread of its own: a server does not stand still because nobody reads what it says.
///
/// Up to a bound all that is said is kept until it is read; what is too much is counted.
package final class NoteQueue: Sendable {
  private struct State {
    var waiting: [UInt8] = []
    var leftOut = 0
    var isWriting = false
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "tapedeck.notes")
  private let descriptor: Int32
  private static let mostBytes = 1 << 20

  package init(descriptor: Int32) { self.descriptor = descriptor }

  /// - Parameter line: with its line feed.
  package func add(_ line: [UInt8]) {
    let begins = state.withLock { state in
      guard state.waiting.count + line.count <= Self.mostBytes else {
        state.leftOut += 1
        return false
      }
      if state.leftOut > 0 {
        state.waiting += Array("tapedeck: warning: \(state.leftOut) lines are left out here: nobody read them\n".utf8)
        state.leftOut = 0
      }
      state.waiting += line
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if begins { queue.async { [self] in write() } }
  }

  /// Waits until all is written, or for so long.
  package func flush(milliseconds: Int) {
    for _ in 0..<milliseconds {
      if state.withLock({ !$0.isWriting }) { return }
      usleep(1000)
    }
  }

  private func write() {
    while true {
      let bytes = state.withLock { state in
        defer { state.waiting = [] }
        state.isWriting = !state.waiting.isEmpty
        return state.waiting
      }
      guard !bytes.isEmpty else { return }
      write(bytes)
    }
  }

  private func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&event, 1, -1)
      } else if errno != EINTR {
        return
      }
    }
  }
}

/// The system's, beside a method of the name.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
