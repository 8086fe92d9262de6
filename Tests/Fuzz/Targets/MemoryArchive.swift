import Synchronization
import TapeArchive

/// A file system that holds one store in memory: what it is asked for it does, and nothing is lost or late.
final class MemoryArchive: TapeFiles {
  private final class Node {
    var bytes: [UInt8]
    /// Descriptors that hold a lock.
    var shared: Set<Int32> = []
    var exclusive: Int32?
    init(_ bytes: [UInt8]) { self.bytes = bytes }
  }

  private struct State {
    var nodes: [String: Node] = [:]
    var directories: Set<String> = ["/"]
    var open: [Int32: Node] = [:]
    var lastDescriptor: Int32 = 100
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

  private func node<T: Sendable>(_ descriptor: Int32, _ body: (Node) throws(FileError) -> T) throws(FileError) -> T {
    try with { state throws(FileError) in
      guard let node = state.open[descriptor] else { throw FileError("descriptor", "", errno: 9) }
      return try body(node)
    }
  }

  /// Puts a file there, as somebody else would.
  func set(_ path: String, _ bytes: [UInt8]) { box.withLock { $0.state.nodes[path] = Node(bytes) } }

  func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    try with { state throws(FileError) in
      let existing = state.nodes[path]
      if mode == .read, existing == nil, !state.directories.contains(path) { throw FileError("open", path, errno: 2) }
      if mode == .create, existing != nil { throw FileError("open", path, errno: 17) }
      let node = existing ?? Node([])
      if mode != .read { state.nodes[path] = node }
      state.lastDescriptor += 1
      state.open[state.lastDescriptor] = node
      return state.lastDescriptor
    }
  }

  func close(_ descriptor: Int32) {
    unlock(descriptor)
    box.withLock { _ = $0.state.open.removeValue(forKey: descriptor) }
  }

  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    let copy = Array(bytes)
    return try node(descriptor) { node in
      node.bytes += copy
      return copy.count
    }
  }

  func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    let count = buffer.count
    let bytes = try node(descriptor) { node in
      offset < node.bytes.count ? Array(node.bytes[offset..<min(node.bytes.count, offset + count)]) : []
    }
    buffer.copyBytes(from: bytes)
    return bytes.count
  }

  func size(_ descriptor: Int32) throws(FileError) -> Int { try node(descriptor) { $0.bytes.count } }

  func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) {
    try node(descriptor) { $0.bytes.removeLast(max(0, $0.bytes.count - bytes)) }
  }

  func sync(_ descriptor: Int32) throws(FileError) {}
  func syncDirectory(_ path: String) throws(FileError) {}

  func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try node(descriptor) { node in
      if let holder = node.exclusive, holder != descriptor { return false }
      guard mode == .exclusive else {
        node.exclusive = nil
        node.shared.insert(descriptor)
        return true
      }
      guard node.shared.subtracting([descriptor]).isEmpty else { return false }
      node.exclusive = descriptor
      return true
    }
  }

  func unlock(_ descriptor: Int32) {
    _ = try? node(descriptor) { node in
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

  func list(_ path: String) throws(FileError) -> [String] {
    try with { state in
      let prefix = path + "/"
      return (Array(state.nodes.keys) + Array(state.directories))
        .filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
        .map { String($0.dropFirst(prefix.count)) }.sorted()
    }
  }

  func status(_ path: String) throws(FileError) -> FileStatus? {
    try with { state in
      if state.directories.contains(path) { return FileStatus(bytes: 0, isDirectory: true, modifiedNs: 0) }
      return state.nodes[path].map { FileStatus(bytes: $0.bytes.count, isDirectory: false, modifiedNs: .max) }
    }
  }

  func makeDirectory(_ path: String) throws(FileError) {
    try with { state in
      var parts: [Substring] = []
      for part in path.split(separator: "/") {
        parts.append(part)
        state.directories.insert("/" + parts.joined(separator: "/"))
      }
    }
  }
}

/// A clock that stands still.
struct StoppedClock: TapeClock {
  func monotonicNs() -> Int64 { 1_767_225_600_000_000_000 }
  func wallNs() -> Int64 { 1_767_225_600_000_000_000 }
}
