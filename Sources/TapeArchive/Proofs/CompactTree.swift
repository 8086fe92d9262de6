/// A growing Merkle tree (RFC 6962 §2.1) of which only the peaks are kept: the roots of the perfect subtrees that its
/// leaves fall into, the largest first. That is enough to go on, and one hash for each bit of the size at most.
package struct CompactTree: Equatable, Sendable {
  /// Number of leaves.
  package private(set) var size = 0
  /// One for each bit that is set in `size`, from the highest bit down.
  package private(set) var peaks: [MerkleHash] = []

  package init() {}

  /// A tree that others have begun; nil if there are not as many peaks as a tree of this size has.
  package init?(size: Int, peaks: [MerkleHash]) {
    guard size >= 0, size.nonzeroBitCount == peaks.count else { return nil }
    self.size = size
    self.peaks = peaks
  }

  package mutating func append(_ leaf: MerkleHash) {
    var hash = leaf
    var rest = size
    while rest & 1 == 1 {
      hash = .node(peaks.removeLast(), hash)
      rest >>= 1
    }
    peaks.append(hash)
    size += 1
  }

  /// The Merkle tree hash of all leaves.
  package var root: MerkleHash {
    guard var hash = peaks.last else { return .empty }
    for peak in peaks.dropLast().reversed() { hash = .node(peak, hash) }
    return hash
  }
}

/// Hashes chosen subtrees while the leaves of a tree go by once, in bounded memory: what a proof consists of.
package struct SubtreeCollector {
  private let ranges: [(range: Range<Int>, place: Int)]
  private var current = 0
  private var tree = CompactTree()
  private var position = 0
  /// The subtrees' hashes, in the order in which their ranges were given; nil for those whose leaves have not all come.
  package private(set) var hashes: [MerkleHash?]

  /// - Parameter ranges: leaf numbers; no two of them overlap, none is empty.
  package init(_ ranges: [Range<Int>]) {
    self.ranges = ranges.enumerated().map { ($0.element, $0.offset) }.sorted { $0.0.lowerBound < $1.0.lowerBound }
    hashes = Array(repeating: nil, count: ranges.count)
  }

  /// Takes the next leaf.
  package mutating func append(_ leaf: MerkleHash) {
    defer { position += 1 }
    guard current < ranges.count, ranges[current].range.contains(position) else { return }
    tree.append(leaf)
    guard position + 1 == ranges[current].range.upperBound else { return }
    hashes[ranges[current].place] = tree.root
    tree = CompactTree()
    current += 1
  }
}

/// Hashes any subtrees of a tree whose leaves are in memory, none of the large ones twice: for the proofs of many leaves.
package struct SubtreeHashes {
  private let leaves: [MerkleHash]
  private var known: [Range<Int>: MerkleHash] = [:]

  package init(_ leaves: [MerkleHash]) { self.leaves = leaves }

  /// - Parameter range: not empty.
  package mutating func hash(_ range: Range<Int>) -> MerkleHash {
    guard range.count > 1 else { return leaves[range.lowerBound] }
    if let hash = known[range] { return hash }
    let middle = range.lowerBound + MerkleProof.split(range.count)
    let hash = MerkleHash.node(hash(range.lowerBound..<middle), hash(middle..<range.upperBound))
    if range.count >= 64 { known[range] = hash }
    return hash
  }
}
