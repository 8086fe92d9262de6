internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The right to write a store's catalogue: one process at a time. Freed when the owner closes it or dies.
package final class CatalogueLock {
  /// What the holder is doing, for others to decide whether to wait.
  package enum Purpose: String, Sendable {
    /// Indexes what there is and goes.
    case run
    /// Follows live journals for as long as it lives: what is recorded gets indexed without anyone's help.
    case follow
  }

  /// Who holds the lock, as far as it said so.
  package struct Holder: Sendable, Equatable {
    package var purpose: Purpose
    package var process: Int32
  }

  private let descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// The lock, or nil if another holds it now.
  package static func attempt(path: String, purpose: Purpose) throws -> CatalogueLock? {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      throw TapeError(
        errno == EROFS || errno == EACCES ? .readOnly : .io, "cannot write the catalogue: \(path): \(reason)")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      return nil
    }
    let note = Array("\(purpose.rawValue) \(getpid())\n".utf8)
    ftruncate(descriptor, 0)
    _ = note.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    return CatalogueLock(descriptor: descriptor)
  }

  /// Who holds the lock now; nil if nobody does.
  package static func holder(path: String) -> Holder? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
    var note = [UInt8](repeating: 0, count: 64)
    let count = note.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    let words = String(decoding: note.prefix(max(0, count)), as: UTF8.self).split { $0 == " " || $0 == "\n" }
    let purpose = words.first.flatMap { Purpose(rawValue: String($0)) } ?? .run
    return Holder(purpose: purpose, process: words.count > 1 ? Int32(words[1]) ?? 0 : 0)
  }
}
