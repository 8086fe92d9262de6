internal import Synchronization
package import TapeArchive

/// The real file system, which counts how often each journal is read.
package final class CountingFiles: TapeFiles {
  private struct State {
    var names: [Int32: String] = [:]
    var counts: [String: Int] = [:]
  }

  private let files = SystemFiles()
  private let state = Mutex(State())

  package init() {}

  package var counts: [String: Int] { state.withLock { $0.counts } }
  package func reset() { state.withLock { $0.counts = [:] } }

  package func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    let descriptor = try files.open(path, mode)
    let name = path.split(separator: "/").last.map { String($0) } ?? path
    state.withLock { $0.names[descriptor] = name }
    return descriptor
  }

  package func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    state.withLock { state in
      if let name = state.names[descriptor], name.hasPrefix("J-") { state.counts[name, default: 0] += 1 }
    }
    return try files.read(descriptor, at: offset, into: buffer)
  }

  package func close(_ descriptor: Int32) { files.close(descriptor) }
  package func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    try files.write(descriptor, bytes)
  }
  package func size(_ descriptor: Int32) throws(FileError) -> Int { try files.size(descriptor) }
  package func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) {
    try files.truncate(descriptor, to: bytes)
  }
  package func sync(_ descriptor: Int32) throws(FileError) { try files.sync(descriptor) }
  package func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try files.lock(descriptor, mode, wait: wait)
  }
  package func unlock(_ descriptor: Int32) { files.unlock(descriptor) }
  package func rename(_ path: String, to target: String) throws(FileError) { try files.rename(path, to: target) }
  package func unlink(_ path: String) throws(FileError) { try files.unlink(path) }
  package func syncDirectory(_ path: String) throws(FileError) { try files.syncDirectory(path) }
  package func list(_ path: String) throws(FileError) -> [String] { try files.list(path) }
  package func entries(_ path: String) throws(FileError) -> [DirectoryEntry] { try files.entries(path) }
  package func status(_ path: String) throws(FileError) -> FileStatus? { try files.status(path) }
  package func makeDirectory(_ path: String) throws(FileError) { try files.makeDirectory(path) }
}
