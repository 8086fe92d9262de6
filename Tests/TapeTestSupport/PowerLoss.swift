/// What a loss of power leaves of what was not synced.
package enum PowerLoss: Sendable, Hashable {
  /// Only what was synced.
  case nothing
  /// All of it, as after the death of a process.
  case everything
  /// Names, and nothing of what was written since the last sync.
  case names
  /// Content, and no change of names.
  case contents
  /// All names; each file is cut at a byte that the seed chooses.
  case torn(seed: UInt64)
  /// Each change by itself, as the seed chooses: what did not survive reads as zeros, or is cut off if it was last.
  case reordered(seed: UInt64)

  /// The states that are looked at for one moment of a run.
  package static func states(seed: UInt64) -> [PowerLoss] {
    [
      .nothing, .everything, .names, .contents, .torn(seed: seed), .torn(seed: seed &+ 1), .reordered(seed: seed),
      .reordered(seed: seed &+ 1),
    ]
  }
}

extension MemoryDisk {
  /// The disk as the next boot finds it.
  package func after(_ loss: PowerLoss) -> MemoryDisk {
    var generator = SplitMix64(state: 0)
    switch loss {
    case .torn(let seed), .reordered(let seed): generator.state = seed
    default: break
    }
    let (files, directories) = change { state in
      var names = state.durableNames
      var directories = state.durableDirectories
      for pending in state.pending where loss.keeps(name: &generator) {
        if let path = pending.removed { names[path] = nil }
        if let added = pending.added { names[added.path] = added.node }
        if let path = pending.directory { directories.insert(path) }
      }
      // What is in a directory whose own name was lost is lost with it.
      let reachable = directories.filter { path in
        var path = path
        while path != "/" {
          path = MemoryDisk.parent(path)
          if !directories.contains(path) { return false }
        }
        return true
      }
      var files: [String: ([UInt8], Int64?)] = [:]
      for (path, node) in names.sorted(by: { $0.key < $1.key }) where reachable.contains(MemoryDisk.parent(path)) {
        let content = node.content(after: loss, &generator)
        files[path] = (content, content == node.bytes ? node.modifiedNs : nil)
      }
      return (files, reachable)
    }
    let other = MemoryDisk()
    for (path, file) in files { other.set(path, file.0, modifiedNs: file.1) }
    other.change {
      $0.directories = directories
      $0.durableDirectories = directories
    }
    return other
  }
}

extension PowerLoss {
  fileprivate func keeps(name generator: inout SplitMix64) -> Bool {
    switch self {
    case .nothing, .contents: false
    case .everything, .names, .torn: true
    case .reordered: Bool.random(using: &generator)
    }
  }
}

extension MemoryDisk.Node {
  fileprivate func content(after loss: PowerLoss, _ generator: inout SplitMix64) -> [UInt8] {
    switch loss {
    case .nothing, .names: return durable
    case .everything, .contents: return replay(changes) { _ in true }
    case .torn:
      guard !changes.isEmpty else { return durable }
      let whole = replay(changes) { _ in true }
      let low = min(durable.count, whole.count)
      return Array(whole[..<Int.random(in: low...whole.count, using: &generator)])
    case .reordered:
      let kept = changes.map { _ in Bool.random(using: &generator) }
      return replay(changes) { kept[$0] }
    }
  }

  /// The durable content with some of the changes done to it. A write over a hole leaves zeros in it.
  private func replay(_ changes: [MemoryDisk.Change], _ isKept: (Int) -> Bool) -> [UInt8] {
    var result = durable
    for (index, change) in changes.enumerated() where isKept(index) {
      switch change {
      case .truncate(let count): if count < result.count { result.removeLast(result.count - count) }
      case .write(let at, let count):
        // Behind a later truncation the bytes are gone from memory too.
        let end = min(at + count, bytes.count)
        guard at < end else { continue }
        if result.count < end { result += [UInt8](repeating: 0, count: end - result.count) }
        for position in at..<end where !dropped.contains(where: { $0.contains(position) }) {
          result[position] = bytes[position]
        }
      }
    }
    return result
  }
}

/// Repeatable randomness.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  package var state: UInt64

  package init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
