internal import CTapeShims
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A line on stderr that says how far a long run is: only on a terminal, and only once it has taken half a second.
package final class ProgressBar: Sendable {
  private struct State {
    var isShown = false
    var lastNs: Int64 = 0
  }

  private let what: String
  private let startNs: Int64
  private let isEnabled: Bool
  private let state = Mutex(State())

  package init(_ what: String) {
    self.what = what
    startNs = Self.nowNs
    let isDumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? false
    isEnabled = StandardOutput.isErrorTerminal && !isDumb
  }

  /// So many bytes are done.
  package func update(_ done: Int, of total: Int) {
    guard isEnabled, total > 0 else { return }
    let now = Self.nowNs
    state.withLock { state in
      guard now - startNs > 500_000_000, now - state.lastNs > 100_000_000 else { return }
      state.lastNs = now
      state.isShown = true
      let seconds = Double(now - startNs) / 1e9
      let left = done > 0 ? seconds / Double(done) * Double(total - done) : 0
      let text = Self.line(what, done: done, of: total, secondsLeft: left, columns: Int(tape_terminal_columns(2)))
      Self.write("\r\(text)\u{1B}[K")
    }
  }

  /// Takes the line away; the next update brings it back.
  package func finish() {
    state.withLock { state in
      if state.isShown { Self.write("\r\u{1B}[K") }
      state.isShown = false
    }
  }

  static func line(_ what: String, done: Int, of total: Int, secondsLeft: Double, columns: Int) -> String {
    let share = min(1, max(0, Double(done) / Double(max(1, total))))
    let percent = String(Int(share * 100))
    let left = secondsLeft >= 60 ? "\(Int(secondsLeft / 60)) min" : "\(Int(secondsLeft.rounded(.up))) s"
    let tail = "\(String(repeating: " ", count: 3 - percent.count))\(percent) %, \(left) left"
    let width = min(40, (columns > 0 ? columns : 80) - what.count - tail.count - 5)
    guard width >= 4 else { return "\(what) \(tail)" }
    let full = Int(share * Double(width))
    return "\(what) [\(String(repeating: "#", count: full))\(String(repeating: ".", count: width - full))] \(tail)"
  }

  private static func write(_ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { systemWrite($0.baseAddress, $0.count) }
  }

  private static var nowNs: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// write(2) to stderr under a name that the method above does not hide.
private func systemWrite(_ bytes: UnsafeRawPointer?, _ count: Int) -> Int { write(2, bytes, count) }
