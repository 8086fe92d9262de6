import Synchronization
import TapeArchive

/// The real file system, but for a disk that can be full, and syncs that can be made to wait.
final class FaultyFiles: TapeFiles {
  private let real = SystemFiles()
  private let full = Mutex(false)
  private let holds = Mutex(false)
  private let goOn = Gate()
  /// Opened by each sync that is held.
  let syncBegan = Gate()

  func holdSyncs() { holds.withLock { $0 = true } }
  func letSyncsGo() {
    holds.withLock { $0 = false }
    // Whoever waits: the recording thread, and the syncer's.
    for _ in 0..<4 { goOn.open() }
  }

  var isFull: Bool {
    get { full.withLock { $0 } }
    set { full.withLock { $0 = newValue } }
  }

  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    if isFull { throw FileError("write", "journal", errno: 28) }
    return try real.write(descriptor, bytes)
  }

  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 { try real.open(path, mode) }
  func close(_ descriptor: Int32) { real.close(descriptor) }
  func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    try real.read(descriptor, at: offset, into: buffer)
  }
  func size(_ descriptor: Int32) throws(FileError) -> Int { try real.size(descriptor) }
  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) { try real.truncate(descriptor, to: bytes) }
  func sync(_ descriptor: Int32) throws(FileError) {
    if holds.withLock({ $0 }) {
      syncBegan.open()
      try? goOn.pass()
    }
    try real.sync(descriptor)
  }
  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try real.lock(descriptor, mode, wait: wait)
  }
  func unlock(_ descriptor: Int32) { real.unlock(descriptor) }
  func rename(_ path: String, to target: String) throws(FileError) { try real.rename(path, to: target) }
  func unlink(_ path: String) throws(FileError) { try real.unlink(path) }
  func syncDirectory(_ path: String) throws(FileError) { try real.syncDirectory(path) }
  func list(_ path: String) throws(FileError) -> [String] { try real.list(path) }
  func status(_ path: String) throws(FileError) -> FileStatus? { try real.status(path) }
  func makeDirectory(_ path: String) throws(FileError) { try real.makeDirectory(path) }
}
