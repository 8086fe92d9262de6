import Synchronization
import TapeArchive

/// A file system whose process dies at the N-th operation that changes something: that one and all later ones fail.
final class DyingFiles: TapeFiles {
  let disk: MemoryFiles
  private let left: Mutex<Int>
  /// How many changes were asked for.
  var changes: Int { asked.withLock { $0 } }
  private let asked = Mutex(0)

  /// - Parameter lives: so many changes succeed.
  init(_ disk: MemoryFiles, lives: Int = .max) {
    self.disk = disk
    left = Mutex(lives)
  }

  private func live(_ call: String, _ path: String = "") throws(FileError) {
    asked.withLock { $0 += 1 }
    let isDead = left.withLock { left in
      left -= 1
      return left < 0
    }
    if isDead { throw FileError(call, path, errno: 5) }
  }

  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    if mode != .read { try live("open", path) }
    return try disk.open(path, mode)
  }
  func close(_ descriptor: Int32) { disk.close(descriptor) }
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    try live("write")
    return try disk.write(descriptor, bytes)
  }
  func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    try disk.read(descriptor, at: offset, into: buffer)
  }
  func size(_ descriptor: Int32) throws(FileError) -> Int { try disk.size(descriptor) }
  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) {
    try live("ftruncate")
    try disk.truncate(descriptor, to: bytes)
  }
  func sync(_ descriptor: Int32) throws(FileError) {
    try live("fdatasync")
    try disk.sync(descriptor)
  }
  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try disk.lock(descriptor, mode, wait: wait)
  }
  func unlock(_ descriptor: Int32) { disk.unlock(descriptor) }
  func rename(_ path: String, to target: String) throws(FileError) {
    try live("rename", path)
    try disk.rename(path, to: target)
  }
  func unlink(_ path: String) throws(FileError) {
    try live("unlink", path)
    try disk.unlink(path)
  }
  func syncDirectory(_ path: String) throws(FileError) {
    try live("fsync", path)
    try disk.syncDirectory(path)
  }
  func list(_ path: String) throws(FileError) -> [String] { try disk.list(path) }
  func status(_ path: String) throws(FileError) -> FileStatus? { try disk.status(path) }
  func makeDirectory(_ path: String) throws(FileError) { try disk.makeDirectory(path) }
}
