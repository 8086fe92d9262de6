internal import TapeArchive
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Where the bytes of an export go: to stdout, or into a file that is there as a whole or not at all.
package final class OutputSink {
  private static let mostPending = 1 << 18

  private let target: String?
  private let temporary: String?
  private let descriptor: Int32
  private let files = SystemFiles()
  private var pending: [UInt8] = []
  private var isOpen = true

  /// - Parameter path: a file, which is replaced when all has been written; `-` or nil for stdout. What is no regular
  ///   file, such as a pipe, is written to as it is.
  /// - Throws: `TapeError` `.failed` if it cannot be made.
  package init(_ path: String?) throws {
    guard let path, path != "-" else {
      (target, temporary, descriptor) = (nil, nil, 1)
      return
    }
    target = path
    do {
      if let status = try files.status(path), !status.isRegular {
        guard !status.isDirectory else { throw FileError("open", path, errno: EISDIR) }
        temporary = nil
        descriptor = open(path, O_WRONLY | O_CLOEXEC)
        if descriptor < 0 { throw FileError("open", path, errno: errno) }
      } else {
        let name = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).tmp"
        temporary = name
        descriptor = try files.open(name, .create)
        UnfinishedFile.set(name)
      }
    } catch let error as FileError {
      throw TapeError(.failed, "cannot make \(path): \(error.reason)")
    }
  }

  deinit { abandon() }

  /// Takes bytes; they reach their place when enough have come, or with `finish`.
  ///
  /// - Throws: `TapeError` `.io`. On stdout a failure ends the process.
  package func write(_ bytes: [UInt8]) throws {
    pending += bytes
    if pending.count >= Self.mostPending { try flush() }
  }

  /// Writes what is left, and puts the file in its place.
  ///
  /// - Throws: `TapeError` `.io`; then the file is as it was.
  package func finish() throws {
    try flush()
    guard let target, isOpen else { return }
    do {
      if let temporary {
        try files.sync(descriptor)
        try files.rename(temporary, to: target)
        UnfinishedFile.set(nil)
        let directory = target.lastIndex(of: "/").map { String(target[..<$0]) } ?? "."
        try files.syncDirectory(directory.isEmpty ? "/" : directory)
      }
      files.close(descriptor)
      isOpen = false
    } catch {
      throw failure(target, error)
    }
  }

  private func flush() throws {
    defer { pending.removeAll(keepingCapacity: true) }
    guard let target else { return StandardOutput.write(lines: pending) }
    do { try files.writeAll(descriptor, pending) } catch { throw failure(target, error) }
  }

  private func failure(_ path: String, _ error: FileError) -> TapeError {
    abandon()
    return TapeError(.io, "cannot write \(path): \(error.reason); it is as it was")
  }

  /// Takes back what was written.
  private func abandon() {
    guard target != nil, isOpen else { return }
    isOpen = false
    files.close(descriptor)
    guard let temporary else { return }
    try? files.unlink(temporary)
    UnfinishedFile.set(nil)
  }
}

/// The file that a signal must not leave behind.
private enum UnfinishedFile {
  // Read by a signal handler, which can take no lock; set before the signal can come, by the one thread that writes.
  nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?

  static func set(_ name: String?) {
    let old = path
    path = name.flatMap { strdup($0) }
    free(old)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number, name == nil ? SIG_DFL : { UnfinishedFile.remove($0) })
    }
  }

  private static func remove(_ number: Int32) {
    if let path { unlink(path) }
    signal(number, SIG_DFL)
    raise(number)
  }
}
