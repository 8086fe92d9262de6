/// Proofs over the archive's tree: RFC 6962 §2.1.1 and §2.1.2, checked as RFC 9162 §2.1.3.2 and §2.1.4.2 say.
package enum MerkleProof {
  /// The subtrees whose hashes prove that a leaf is in a tree, in the order of the proof: nearest to the leaf first.
  ///
  /// - Precondition: `leaf` is less than `size` and not negative.
  package static func inclusion(of leaf: Int, in size: Int) -> [Range<Int>] {
    var path: [Range<Int>] = []
    var tree = 0..<size
    while tree.count > 1 {
      let middle = tree.lowerBound + split(tree.count)
      if leaf < middle {
        path.append(middle..<tree.upperBound)
        tree = tree.lowerBound..<middle
      } else {
        path.append(tree.lowerBound..<middle)
        tree = middle..<tree.upperBound
      }
    }
    return path.reversed()
  }

  /// The subtrees whose hashes prove that a tree is the beginning of a larger one, in the order of the proof. There are
  /// none if the two have the same size, or the smaller one has no leaves.
  package static func consistency(from old: Int, to size: Int) -> [Range<Int>] {
    guard old > 0, old < size else { return [] }
    var path: [Range<Int>] = []
    var tree = 0..<size
    var isKnown = true
    while old != tree.upperBound {
      let middle = tree.lowerBound + split(tree.count)
      if old <= middle {
        path.append(middle..<tree.upperBound)
        tree = tree.lowerBound..<middle
      } else {
        path.append(tree.lowerBound..<middle)
        tree = middle..<tree.upperBound
        isKnown = false
      }
    }
    // A verifier knows the root of the old tree; it need not be told it.
    if !isKnown { path.append(tree) }
    return path.reversed()
  }

  /// The largest power of two below `count`, which is at least 2.
  static func split(_ count: Int) -> Int { 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount) }

  /// True if the path leads from the leaf at this place to the root of a tree of this size.
  package static func verifyInclusion(
    of leaf: MerkleHash, at index: Int, size: Int, path: [MerkleHash], root: MerkleHash
  ) -> Bool {
    guard index >= 0, index < size else { return false }
    var place = index
    var last = size - 1
    var hash = leaf
    for sibling in path {
      guard last > 0 else { return false }
      if place & 1 == 1 || place == last {
        hash = .node(sibling, hash)
        // On the right edge levels without sibling are passed over.
        while place & 1 == 0, place > 0 {
          place >>= 1
          last >>= 1
        }
      } else {
        hash = .node(hash, sibling)
      }
      place >>= 1
      last >>= 1
    }
    return last == 0 && hash == root
  }

  /// True if the path shows that the tree of `old` leaves with `oldRoot` is the beginning of the one of `size` with
  /// `root`.
  package static func verifyConsistency(
    from old: Int, oldRoot: MerkleHash, to size: Int, root: MerkleHash, path: [MerkleHash]
  ) -> Bool {
    guard old >= 0, old <= size else { return false }
    if old == size { return path.isEmpty && oldRoot == root }
    if old == 0 { return path.isEmpty && oldRoot == .empty }
    var hashes = path[...]
    // A tree that is perfect is itself the first hash of the proof.
    guard let first = old & (old - 1) == 0 ? oldRoot : hashes.popFirst() else { return false }
    var place = old - 1
    var last = size - 1
    while place & 1 == 1 {
      place >>= 1
      last >>= 1
    }
    var (before, after) = (first, first)
    for hash in hashes {
      guard last > 0 else { return false }
      if place & 1 == 1 || place == last {
        before = .node(hash, before)
        after = .node(hash, after)
        while place & 1 == 0, place > 0 {
          place >>= 1
          last >>= 1
        }
      } else {
        after = .node(after, hash)
      }
      place >>= 1
      last >>= 1
    }
    return last == 0 && before == oldRoot && after == root
  }
}
