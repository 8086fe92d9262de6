internal import TapeTypes

/// The end of the store's tree while segments are added to it, under the store lock.
package struct GrowingTree {
  private let store: Store
  private let origin: String
  private let mayReplaceCheckpoint: Bool
  private let own: Checkpoint?
  /// Where the next segment goes.
  package private(set) var next: TreePlace
  /// Why the archive is not what its own checkpoint says, if it is not.
  package private(set) var damage: [Damage] = []

  /// - Throws: `TapeError` `.io`, `.corrupt`.
  package init(store: Store) throws {
    self.store = store
    origin = try store.origin()
    let tree = try ArchiveTree(store: store)
    var end: CompactTree?
    do {
      end = try tree.end()
    } catch let error as TapeError where error.isDamage {
      // What is damaged keeps its place, and nobody from sealing.
      damage.append(Damage(file: tree.parts.last?.file ?? "", offset: 0, calls: [], message: error.description))
    } catch let error as TapeError where error.code == .notFound {
      // It was removed since the directory was read.
    }
    next = end.map { TreePlace(after: $0) } ?? TreePlace(firstLeaf: tree.size)
    do {
      own = try store.ownCheckpoint()?.checkpoint
    } catch let error as TapeError where error.code == .corrupt {
      own = nil
      // Its content can be made again, from segments that are all there.
      mayReplaceCheckpoint = tree.missing.isEmpty && tree.unreadable.isEmpty
      damage.append(Damage(file: Store.checkpointFile, offset: 0, calls: [], message: error.description))
      return
    }
    guard let own, own.size >= next.firstLeaf else {
      mayReplaceCheckpoint = true
      return
    }
    if own.size == next.firstLeaf {
      if end == nil, let tree = own.tree { next = TreePlace(after: tree) }
      mayReplaceCheckpoint = end == nil || end?.root == own.root
      if let end, end.root != own.root {
        damage.append(
          Damage(
            file: Store.checkpointFile, offset: 0, calls: [],
            message: "the archive's calls are not those of which this is the root; run tapedeck verify"))
      }
      return
    }
    guard own.size - next.firstLeaf <= ArchiveTree.mostMissing else {
      mayReplaceCheckpoint = false
      damage.append(
        Damage(
          file: Store.checkpointFile, offset: 0, calls: [],
          message:
            "it counts \(own.size) calls, and the segments have \(next.firstLeaf): it is not of this store; remove "
            + "it, and the next seal writes a new one"))
      return
    }
    // The newest segments are gone or cannot be read. They keep their places, should they come back.
    damage.append(
      Damage(
        file: Store.checkpointFile, offset: 0, calls: [],
        message: "it counts \(own.size) calls, and the segments have \(next.firstLeaf): the newest are missing"))
    next = own.tree.map { TreePlace(after: $0) } ?? TreePlace(firstLeaf: own.size)
    mayReplaceCheckpoint = own.tree != nil
  }

  /// Takes in the leaves of a segment that has got its name.
  package mutating func append(_ leaves: [[UInt8]]) {
    guard var tree = next.before else {
      next.firstLeaf += leaves.count
      return
    }
    for leaf in leaves.compactMap({ MerkleHash($0) }) { tree.append(leaf) }
    next = TreePlace(after: tree)
  }

  /// Writes the store's own checkpoint, if the tree is another than it says. One that the archive contradicts is
  /// evidence, and stays.
  package func writeCheckpoint() throws {
    guard mayReplaceCheckpoint, let tree = next.before, own?.size != tree.size || own?.root != tree.root else { return }
    try store.writeCheckpoint(of: tree, origin: origin)
  }
}
