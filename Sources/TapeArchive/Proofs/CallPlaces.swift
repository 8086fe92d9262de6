package import TapeTypes

/// Where the sealed calls of an archive are in its tree: an id, a hash and a number for each, and proofs are made when they
/// are asked for.
package struct CallPlaces {
  /// Of the tree; nil where nothing is sealed.
  package let note: CheckpointNote?
  private var subtrees: SubtreeHashes
  /// By the number of the leaf.
  private let ids: [CallID]
  /// Numbers of leaves in the order of their ids.
  private let order: [UInt32]

  /// That of nothing.
  package init() { self.init(note: nil, ids: [], hashes: []) }

  init(note: CheckpointNote?, ids: [CallID], hashes: [MerkleHash]) {
    self.note = note
    self.ids = ids
    subtrees = SubtreeHashes(hashes)
    order = ids.indices.map { UInt32($0) }.sorted { (ids[Int($0)], $0) < (ids[Int($1)], $1) }
  }

  package func contains(_ id: CallID) -> Bool { leafNumber(of: id) != nil }

  /// The place of a call, and the way from there to the root; nil for one that is not sealed.
  package mutating func place(of id: CallID) -> TapeFile.Place? {
    guard let number = leafNumber(of: id) else { return nil }
    let path = MerkleProof.inclusion(of: number, in: ids.count)
    return TapeFile.Place(leafNumber: number, path: path.map { subtrees.hash($0) })
  }

  /// The last leaf with that id.
  private func leafNumber(of id: CallID) -> Int? {
    var (low, high) = (0, order.count)
    while low < high {
      let middle = (low + high) / 2
      if ids[Int(order[middle])] <= id { low = middle + 1 } else { high = middle }
    }
    guard low > 0, ids[Int(order[low - 1])] == id else { return nil }
    return Int(order[low - 1])
  }
}
