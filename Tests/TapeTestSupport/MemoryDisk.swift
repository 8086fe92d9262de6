internal import Synchronization
internal import TapeArchive

/// A disk in memory, shared by the processes of a test, that knows what of it would survive a loss of power.
///
/// What is written lies in the page cache; `fdatasync` makes a file's content durable, `fsync` of a directory the
/// names in it. Everything else may survive whole, in part, or not at all, in any order: see ``PowerLoss``.
package final class MemoryDisk: Sendable {
  final class Node {
    let number: Int
    /// What readers see.
    var bytes: [UInt8] = [] { didSet { modifiedNs = MemoryDisk.nextTime() } }
    /// Later than anything that a test's clock says, and another one after each change.
    var modifiedNs = MemoryDisk.nextTime()
    /// What the platter has for sure.
    var durable: [UInt8] = []
    /// What was done since the last sync, in order.
    var changes: [Change] = []
    /// Ranges whose pages a failed sync dropped: readable until the power goes, never written again.
    var dropped: [Range<Int>] = []
    /// Descriptors that are still to be told of a sync that failed through another one: the kernel tells each of those
    /// that were open.
    var untold: Set<Int32> = []
    /// Descriptors that hold a lock.
    var shared: Set<Int32> = []
    var exclusive: Int32?

    init(number: Int) { self.number = number }

    func cut(to count: Int) {
      bytes.removeLast(max(0, bytes.count - count))
      dropped = dropped.map { min($0.lowerBound, count)..<min($0.upperBound, count) }.filter { !$0.isEmpty }
    }

    /// A sync that went well: all but what was dropped before.
    func settle() {
      durable = bytes
      for range in dropped { for index in range { durable[index] = 0 } }
      changes = []
    }

    /// A sync that failed: the kernel takes the pages for clean.
    func dropChanges() {
      for case .write(let at, let count) in changes where at < bytes.count {
        dropped.append(at..<min(bytes.count, at + count))
      }
      changes = []
    }
  }

  enum Change {
    case write(at: Int, count: Int)
    case truncate(to: Int)
  }

  /// A change of names that no `fsync` of its directory has made durable yet.
  struct NameChange {
    var removed: String?
    var added: (path: String, node: Node)?
    var directory: String?

    var parent: String { MemoryDisk.parent(removed ?? added?.path ?? directory ?? "/") }
  }

  struct State {
    var names: [String: Node] = [:]
    var durableNames: [String: Node] = [:]
    var directories: Set<String> = ["/"]
    var durableDirectories: Set<String> = ["/"]
    var pending: [NameChange] = []
    var open: [Int32: (node: Node, process: Int)] = [:]
    var dead: Set<Int> = []
    var nextProcess = 0
    var nextDescriptor: Int32 = 100
    var nextNode = 0
    /// Bytes that may still be written before the disk is full.
    var room = Int.max
    var failingSyncs = 0
    var failingTruncates = 0
    var dropsPagesOnFailedSync = true
    var syncs = 0
    var writes = 0
    /// Operations so far, by all processes.
    var operations = 0
    var faults: [Int: Fault] = [:]
    var log: [Operation] = []
  }

  // Nodes are reached through the lock only.
  private struct Unchecked: @unchecked Sendable { var state = State() }
  private let box = Mutex(Unchecked())

  package init() {}

  private static let changes = Atomic<Int64>(0)

  static func nextTime() -> Int64 {
    Int64.max / 2 + changes.add(1, ordering: .relaxed).newValue
  }

  func with<T: Sendable>(_ body: (inout State) throws(FileError) -> T) throws(FileError) -> T {
    let result = box.withLock { box -> Result<T, FileError> in
      do throws(FileError) { return .success(try body(&box.state)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  func change<T: Sendable>(_ body: (inout State) -> T) -> T { box.withLock { body(&$0.state) } }

  static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  // MARK: What tests do

  package func bytes(_ path: String) -> [UInt8] { change { $0.names[path]?.bytes ?? [] } }

  /// Puts a file there, durable at once.
  package func set(_ path: String, _ bytes: [UInt8]) { set(path, bytes, modifiedNs: nil) }

  func set(_ path: String, _ bytes: [UInt8], modifiedNs: Int64?) {
    change { state in
      let node = state.names[path] ?? state.node()
      node.bytes = bytes
      if let modifiedNs { node.modifiedNs = modifiedNs }
      node.dropped = []
      node.settle()
      state.names[path] = node
      state.durableNames[path] = node
      state.pending.removeAll { $0.added?.path == path || $0.removed == path }
    }
  }

  package func remove(_ path: String) {
    change { state in
      state.names[path] = nil
      state.durableNames[path] = nil
    }
  }

  package var paths: [String] { change { $0.names.keys.sorted() } }

  /// A disk with the same files, all of them durable, and no process that has one open.
  package func copy() -> MemoryDisk {
    let other = MemoryDisk()
    let files = change { $0.names.mapValues { ($0.bytes, $0.modifiedNs) } }
    for (path, file) in files { other.set(path, file.0, modifiedNs: file.1) }
    let directories = change { $0.directories }
    other.change {
      $0.directories = directories
      $0.durableDirectories = directories
    }
    return other
  }
}

extension MemoryDisk.State {
  mutating func node() -> MemoryDisk.Node {
    nextNode += 1
    return MemoryDisk.Node(number: nextNode)
  }
}
