package import TapeArchive

/// One process' way to a ``MemoryDisk``. When it is killed its locks go, and nothing that it does has any effect.
package final class MemoryFiles: TapeFiles {
  package let disk: MemoryDisk
  private let process: Int

  package init(disk: MemoryDisk = MemoryDisk()) {
    self.disk = disk
    process = disk.change { state in
      state.nextProcess += 1
      return state.nextProcess
    }
  }

  private static let gone: Int32 = 5

  // MARK: What tests do

  /// SIGKILL.
  package func kill() { disk.change { $0.kill(process) } }
  package var isDead: Bool { disk.change { $0.dead.contains(process) } }

  package func setRoom(_ bytes: Int) { disk.setRoom(bytes) }
  package func failSyncs(_ count: Int) { disk.failSyncs(count) }
  package func failTruncates(_ count: Int) { disk.failTruncates(count) }
  package var syncs: Int { disk.syncs }
  package var writes: Int { disk.writes }
  package func bytes(_ path: String) -> [UInt8] { disk.bytes(path) }
  package func set(_ path: String, _ bytes: [UInt8]) { disk.set(path, bytes) }
  package func setModified(_ path: String, _ ns: Int64) { disk.change { $0.names[path]?.modifiedNs = ns } }
  package var paths: [String] { disk.paths }
  /// The same files and no process that has one open.
  package func copy() -> MemoryFiles { MemoryFiles(disk: disk.copy()) }
  /// What the disk has after the power went: nothing that was not synced.
  package func afterPowerLoss() -> MemoryFiles { MemoryFiles(disk: disk.after(.nothing)) }

  // MARK: TapeFiles

  /// Counts the operation, and lets it go wrong if it is its turn.
  private func turn(
    _ state: inout MemoryDisk.State, _ kind: Operation.Kind, _ path: String
  ) throws(FileError) -> Fault? {
    guard !state.dead.contains(process) else { throw FileError(kind.rawValue, path, errno: Self.gone) }
    state.operations += 1
    state.log.append(Operation(kind: kind, path: path))
    guard let fault = state.faults.removeValue(forKey: state.operations) else { return nil }
    switch fault {
    case .error(let code):
      // Its own function says what a failed sync does.
      if kind != .sync { throw FileError(kind.rawValue, path, errno: code) }
    case .kill:
      // Half of a write is done first.
      if kind != .write {
        state.kill(process)
        throw FileError(kind.rawValue, path, errno: Self.gone)
      }
    case .short, .fullInside, .lying, .garbled: break
    }
    return fault
  }

  private func node(
    _ state: MemoryDisk.State, _ descriptor: Int32, _ call: String
  ) throws(FileError) -> MemoryDisk.Node {
    guard let open = state.open[descriptor], open.process == process else { throw FileError(call, "", errno: 9) }
    return open.node
  }

  package func open(_ path: String, _ mode: OpenMode) throws(FileError) -> Int32 {
    try disk.with { state throws(FileError) in
      let existing = state.names[path]
      let makes = existing == nil && mode != .read
      _ = try turn(&state, makes ? .create : .open, path)
      switch mode {
      case .read where existing == nil && !state.directories.contains(path): throw FileError("open", path, errno: 2)
      case .create where existing != nil: throw FileError("open", path, errno: 17)
      default: break
      }
      if makes, !state.directories.contains(MemoryDisk.parent(path)) { throw FileError("open", path, errno: 2) }
      let node = existing ?? state.node()
      if makes {
        state.names[path] = node
        state.pending.append(.init(added: (path, node)))
      }
      state.nextDescriptor += 1
      state.open[state.nextDescriptor] = (node, process)
      return state.nextDescriptor
    }
  }

  package func close(_ descriptor: Int32) { disk.change { $0.close(descriptor) } }

  package func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
    try disk.with { state throws(FileError) in
      let fault = try turn(&state, .write, "")
      let node = try node(state, descriptor, "write")
      state.writes += 1
      var count = min(bytes.count, state.room)
      if fault != nil, fault != .garbled { count = min(count, (bytes.count + 1) / 2) }
      if count > 0 {
        node.changes.append(.write(at: node.bytes.count, count: count))
        node.bytes.append(contentsOf: bytes[..<count])
        if fault == .garbled { node.bytes[node.bytes.count - 1 - count / 2] ^= 0x04 }
      }
      if state.room != .max { state.room -= count }
      if fault == .fullInside { state.faults[state.operations + 1] = .noSpace }
      if fault == .kill {
        state.kill(process)
        throw FileError("write", "", errno: Self.gone)
      }
      guard count > 0 || bytes.isEmpty else { throw FileError("write", "", errno: 28) }
      return count
    }
  }

  package func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    // The pointer does not leave the call.
    nonisolated(unsafe) let buffer = buffer
    return try disk.with { state throws(FileError) in
      let fault = try turn(&state, .read, "")
      let node = try node(state, descriptor, "read")
      guard offset < node.bytes.count else { return 0 }
      let wanted = fault == nil ? buffer.count : (buffer.count + 1) / 2
      let slice = node.bytes[offset..<min(node.bytes.count, offset + wanted)]
      buffer.copyBytes(from: slice)
      return slice.count
    }
  }

  package func size(_ descriptor: Int32) throws(FileError) -> Int {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .size, "")
      return try node(state, descriptor, "fstat").bytes.count
    }
  }

  package func truncate(_ descriptor: Int32, to bytes: Int) throws(FileError) {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .truncate, "")
      if state.failingTruncates > 0 {
        state.failingTruncates -= 1
        throw FileError("ftruncate", "", errno: 5)
      }
      let node = try node(state, descriptor, "ftruncate")
      guard bytes < node.bytes.count else { return }
      node.changes.append(.truncate(to: bytes))
      node.cut(to: bytes)
    }
  }

  package func sync(_ descriptor: Int32) throws(FileError) {
    try disk.with { state throws(FileError) in
      let fault = try turn(&state, .sync, "")
      let node = try node(state, descriptor, "fdatasync")
      if fault == .lying { return }
      var failure: Int32?
      if case .error(let code) = fault { failure = code }
      if state.failingSyncs > 0 {
        state.failingSyncs -= 1
        failure = 5
      }
      if let failure {
        node.dropChanges()
        node.untold = Set(state.open.filter { $0.value.node === node }.keys).subtracting([descriptor])
        throw FileError("fdatasync", "", errno: failure)
      }
      state.syncs += 1
      node.settle()
      if node.untold.remove(descriptor) != nil { throw FileError("fdatasync", "", errno: 5) }
    }
  }

  package func lock(_ descriptor: Int32, _ mode: LockMode, wait: Bool) throws(FileError) -> Bool {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .lock, "")
      let node = try node(state, descriptor, "flock")
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

  package func unlock(_ descriptor: Int32) {
    disk.change { state in
      guard let node = state.open[descriptor]?.node else { return }
      node.shared.remove(descriptor)
      if node.exclusive == descriptor { node.exclusive = nil }
    }
  }

  package func rename(_ path: String, to target: String) throws(FileError) {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .rename, target)
      guard let node = state.names.removeValue(forKey: path) else { throw FileError("rename", path, errno: 2) }
      state.names[target] = node
      state.pending.append(.init(removed: path, added: (target, node)))
    }
  }

  package func unlink(_ path: String) throws(FileError) {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .unlink, path)
      guard state.names.removeValue(forKey: path) != nil else { throw FileError("unlink", path, errno: 2) }
      state.pending.append(.init(removed: path))
    }
  }

  package func syncDirectory(_ path: String) throws(FileError) {
    try disk.with { state throws(FileError) in
      let fault = try turn(&state, .syncDirectory, path)
      if fault == .lying { return }
      for change in state.pending where change.parent == path {
        if let removed = change.removed { state.durableNames[removed] = nil }
        if let added = change.added { state.durableNames[added.path] = added.node }
        if let directory = change.directory { state.durableDirectories.insert(directory) }
      }
      state.pending.removeAll { $0.parent == path }
    }
  }

  package func list(_ path: String) throws(FileError) -> [String] {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .list, path)
      guard state.directories.contains(path) else { throw FileError("opendir", path, errno: 2) }
      let prefix = path + "/"
      let all = Array(state.names.keys) + Array(state.directories)
      return all.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
        .map { String($0.dropFirst(prefix.count)) }.sorted()
    }
  }

  package func status(_ path: String) throws(FileError) -> FileStatus? {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .status, path)
      if state.directories.contains(path) {
        return FileStatus(bytes: 0, isDirectory: true, modifiedNs: MemoryDisk.nextTime())
      }
      return state.names[path].map {
        FileStatus(bytes: $0.bytes.count, isDirectory: false, modifiedNs: $0.modifiedNs)
      }
    }
  }

  package func makeDirectory(_ path: String) throws(FileError) {
    try disk.with { state throws(FileError) in
      _ = try turn(&state, .makeDirectory, path)
      var rest = path
      while rest.count > 1, !state.directories.contains(rest) {
        state.directories.insert(rest)
        state.pending.append(.init(directory: rest))
        rest = MemoryDisk.parent(rest)
      }
    }
  }
}

extension MemoryDisk.State {
  mutating func close(_ descriptor: Int32) {
    guard let node = open.removeValue(forKey: descriptor)?.node else { return }
    node.shared.remove(descriptor)
    if node.exclusive == descriptor { node.exclusive = nil }
  }

  /// The process' descriptors go with it, and their locks.
  mutating func kill(_ process: Int) {
    dead.insert(process)
    for descriptor in open.filter({ $0.value.process == process }).keys { close(descriptor) }
  }
}
