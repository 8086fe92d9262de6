internal import CTapeShims
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Bytes to stdout, and lines to stderr. A reader that went away (`| head`) is no error: the
/// process ends with 0.
package enum StandardOutput {
  /// Writes all of `bytes`; exits with 0 on a broken pipe and 2 when stdout cannot take them.
  package static func write(_ bytes: some Collection<UInt8>) {
    let whole: Void? = bytes.withContiguousStorageIfAvailable { writeAll(UnsafeRawBufferPointer($0)) }
    if whole == nil { Array(bytes).withUnsafeBytes(writeAll) }
  }

  package static func write(_ text: String) {
    write(Array(text.utf8))
  }

  /// JSON and a line feed. On a terminal, characters that would be obeyed there are written as JSON escapes.
  static func write(json: [UInt8]) {
    write(lines: json + [0x0A])
  }

  /// The same of lines of JSON that have their line feeds.
  static func write(lines: [UInt8]) {
    write(isTerminal ? TerminalText.escapedJSON(lines) : lines)
  }

  /// A line, or several, to stderr. It may name what others named: control characters are shown, not obeyed.
  package static func note(_ line: String) {
    Pager.release()
    let bytes = Array((TerminalText.escaped(line, keepingLines: true) + "\n").utf8)
    if let queue = noteQueue.withLock({ $0 }) { return queue.add(bytes) }
    _ = bytes.withUnsafeBytes { systemWrite(2, $0.baseAddress, $0.count) }
  }

  private static let noteQueue = Mutex<NoteQueue?>(nil)

  /// For servers, at their start: from now on no thread waits for whoever reads stderr, but for a second at the end.
  package static func queueNotes() {
    let isFirst = noteQueue.withLock { queue in
      defer { queue = queue ?? NoteQueue(descriptor: 2) }
      return queue == nil
    }
    if isFirst { atexit { StandardOutput.noteQueue.withLock({ $0 })?.flush(milliseconds: 1000) } }
  }

  /// The same when the process ends: behind a page, and not in the middle of it.
  static func noteAtEnd(_ line: String) {
    let isFirst = notes.withLock { notes in
      notes.append(line)
      return notes.count == 1
    }
    guard isFirst else { return }
    atexit {
      for line in StandardOutput.notes.withLock({ $0 }) { StandardOutput.note(line) }
    }
  }

  private static let notes = Mutex<[String]>([])

  /// Also where a pager stands between.
  package static var isTerminal: Bool { isatty(1) == 1 || Pager.terminal != nil }
  /// Of the terminal that stdout is; 0 for none.
  static var columns: Int { isTerminal ? Int(tape_terminal_columns(Pager.terminal ?? 1)) : 0 }
  package static var isErrorTerminal: Bool { isatty(2) == 1 }
  /// Colour only on a terminal, and never against NO_COLOR (<https://no-color.org>).
  package static var usesColour: Bool { isTerminal && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true) }

  /// What became of a write to stdout.
  package enum Outcome: Equatable {
    case written
    /// Whoever read stdout went away.
    case readerGone
    case failed(String)
  }

  /// Writes all of `bytes`, for who has something to finish when that fails.
  package static func attempt(_ bytes: [UInt8]) -> Outcome {
    bytes.withUnsafeBytes(attempt)
  }

  private static func attempt(_ buffer: UnsafeRawBufferPointer) -> Outcome {
    var rest = buffer[...]
    while !rest.isEmpty {
      let count = systemWrite(1, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EPIPE {
        return .readerGone
      } else if errno != EINTR && errno != EAGAIN {
        return .failed("cannot write to stdout: \(String(cString: strerror(errno)))")
      }
    }
    return .written
  }

  private static func writeAll(_ buffer: UnsafeRawBufferPointer) {
    if Pager.takes(buffer) { return }
    switch attempt(buffer) {
    case .written: return
    case .readerGone: exit(0)
    case .failed(let reason):
      note("tapedeck: \(reason)")
      exit(2)
    }
  }
}

/// write(2) under a name that the methods above do not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
