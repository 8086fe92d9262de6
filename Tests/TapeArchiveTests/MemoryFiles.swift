import Synchronization
import TapeArchive

/// A file system in memory that does what a test tells it to: runs full, fails syncs, writes short.
final class MemoryFiles: TapeFiles {
  private final class Node {
    var bytes: [UInt8] = []
    var synced: [UInt8] = []
    /// Descriptors that hold a lock.
    var shared: Set<Int32> = []
    var exclusive: Int32?
  }

  private struct State {
    var nodes: [String: Node] = [:]
    var directories: Set<String> = ["/"]
    var open: [Int32: Node] = [:]
    var nextDescriptor: Int32 = 100
    /// Bytes that may still be written before the disk is full.
    var room = Int.max
    var failingSyncs = 0
    var failingTruncates = 0
    var syncs = 0
    var writes = 0
  }

  // Nodes are reached through the lock only.
  private struct Unchecked: @unchecked Sendable { var state = State() }
  private let box = Mutex(Unchecked())

  private func with<T: Sendable>(_ body: (inout State) throws(FileError) -> T) throws(FileError) -> T {
    let result = box.withLock { box -> Result<T, FileError> in
      do throws(FileError) { return .success(try body(&box.state)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private func change(_ body: (inout State) -> Void) { box.withLock { body(&$0.state) } }

  // MARK: What tests do

  /// Lets so many more bytes be written.
  func setRoom(_ bytes: Int) { change { $0.room = bytes } }
  func failSyncs(_ count: Int) { change { $0.failingSyncs = count } }
  func failTruncates(_ count: Int) { change { $0.failingTruncates = count } }
  var syncs: Int { box.withLock { $0.state.syncs } }
  var writes: Int { box.withLock { $0.state.writes } }

  func bytes(_ path: String) -> [UInt8] { box.withLock { $0.state.nodes[path]?.bytes ?? [] } }
  func set(_ path: String, _ bytes: [UInt8]) {
    change { state in
      let node = state.nodes[path] ?? Node()
      node.bytes = bytes
      state.nodes[path] = node
    }
  }
  var paths: [String] { box.withLock { $0.state.nodes.keys.sorted() } }

  /// A disk with the same files and no process that has one open.
  func copy() -> MemoryFiles {
    let other = MemoryFiles()
    box.withLock { box in
      for (path, node) in box.state.nodes { other.set(path, node.bytes) }
      let directories = box.state.directories
      other.change { $0.directories = directories }
    }
    return other
  }

  /// What the disk has after the power went: nothing that was not synced.
  func afterPowerLoss() -> MemoryFiles {
    let other = MemoryFiles()
    box.withLock { box in
      for (path, node) in box.state.nodes { other.set(path, node.synced) }
      let directories = box.state.directories
      other.change { $0.directories = directories }
    }
    return other
  }

  // MARK: TapeFiles

  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    try with { state throws(FileError) in
      let existing = state.nodes[path]
      switch mode {
      case .read where existing == nil && !state.directories.contains(path): throw FileError("open", path, errno: 2)
      case .create where existing != nil: throw FileError("open", path, errno: 17)
      default: break
      }
      let node = existing ?? Node()
      if mode != .read { state.nodes[path] = node }
      state.nextDescriptor += 1
      state.open[state.nextDescriptor] = node
      return state.nextDescriptor
    }
  }

  func close(_ descriptor: Int32) {
    change { state in
      guard let node = state.open.removeValue(forKey: descriptor) else { return }
      node.shared.remove(descriptor)
      if node.exclusive == descriptor { node.exclusive = nil }
    }
  }

  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    try with { state throws(FileError) in
      guard let node = state.open[descriptor] else { throw FileError("write", "", errno: 9) }
      state.writes += 1
      let count = min(bytes.count, state.room)
      guard count > 0 else { throw FileError("write", "", errno: 28) }
      node.bytes.append(contentsOf: bytes[..<count])
      if state.room != .max { state.room -= count }
      return count
    }
  }

  func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    // The pointer does not leave the call.
    nonisolated(unsafe) let buffer = buffer
    return try with { state throws(FileError) in
      guard let node = state.open[descriptor] else { throw FileError("read", "", errno: 9) }
      guard offset < node.bytes.count else { return 0 }
      let slice = node.bytes[offset..<min(node.bytes.count, offset + buffer.count)]
      buffer.copyBytes(from: slice)
      return slice.count
    }
  }

  func size(_ descriptor: Int32) throws(FileError) -> Int {
    try with { state throws(FileError) in
      guard let node = state.open[descriptor] else { throw FileError("fstat", "", errno: 9) }
      return node.bytes.count
    }
  }

  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) {
    try with { state throws(FileError) in
      if state.failingTruncates > 0 {
        state.failingTruncates -= 1
        throw FileError("ftruncate", "", errno: 5)
      }
      guard let node = state.open[descriptor] else { throw FileError("ftruncate", "", errno: 9) }
      node.bytes.removeLast(max(0, node.bytes.count - bytes))
    }
  }

  func sync(_ descriptor: Int32) throws(FileError) {
    try with { state throws(FileError) in
      guard let node = state.open[descriptor] else { throw FileError("fdatasync", "", errno: 9) }
      if state.failingSyncs > 0 {
        state.failingSyncs -= 1
        throw FileError("fdatasync", "", errno: 5)
      }
      state.syncs += 1
      node.synced = node.bytes
    }
  }

  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try with { state throws(FileError) in
      guard let node = state.open[descriptor] else { throw FileError("flock", "", errno: 9) }
      let others = node.shared.subtracting([descriptor])
      if let holder = node.exclusive, holder != descriptor { return false }
      if mode == .exclusive {
        guard others.isEmpty else { return false }
        node.exclusive = descriptor
      } else {
        node.exclusive = nil
        node.shared.insert(descriptor)
      }
      return true
    }
  }

  func unlock(_ descriptor: Int32) {
    change { state in
      guard let node = state.open[descriptor] else { return }
      node.shared.remove(descriptor)
      if node.exclusive == descriptor { node.exclusive = nil }
    }
  }

  func rename(_ path: String, to target: String) throws(FileError) {
    try with { state throws(FileError) in
      guard let node = state.nodes.removeValue(forKey: path) else { throw FileError("rename", path, errno: 2) }
      state.nodes[target] = node
    }
  }

  func unlink(_ path: String) throws(FileError) {
    try with { state throws(FileError) in
      guard state.nodes.removeValue(forKey: path) != nil else { throw FileError("unlink", path, errno: 2) }
    }
  }

  func syncDirectory(_ path: String) throws(FileError) {}

  func list(_ path: String) throws(FileError) -> [String] {
    try with { state throws(FileError) in
      guard state.directories.contains(path) else { throw FileError("opendir", path, errno: 2) }
      let prefix = path + "/"
      let all = Array(state.nodes.keys) + Array(state.directories)
      return all.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
        .map { String($0.dropFirst(prefix.count)) }.sorted()
    }
  }

  func status(_ path: String) throws(FileError) -> FileStatus? {
    try with { state throws(FileError) in
      if state.directories.contains(path) { return FileStatus(bytes: 0, isDirectory: true, modifiedNs: 0) }
      return state.nodes[path].map { FileStatus(bytes: $0.bytes.count, isDirectory: false, modifiedNs: .max) }
    }
  }

  func makeDirectory(_ path: String) throws(FileError) {
    try with { state throws(FileError) in
      var rest = path
      while rest.count > 1 {
        state.directories.insert(rest)
        guard let slash = rest.lastIndex(of: "/") else { return }
        rest = String(rest[..<slash])
      }
    }
  }
}

/// A clock that stands still until it is moved.
final class ManualClock: TapeClock {
  private let now = Mutex<Int64>(1_767_225_600_000_000_000)

  func monotonicNs() -> Int64 { now.withLock { $0 } }
  func wallNs() -> Int64 { now.withLock { $0 } }
  func advance(seconds: Double) { now.withLock { $0 += Int64(seconds * 1e9) } }
}
