package import TapeTypes

/// Makes proofs from a store's archive. Reads only.
package struct ProofMaker {
  private let store: Store

  package init(store: Store) { self.store = store }

  /// The checkpoint of the archive as it is, after every leaf list was read and compared with the others and with the
  /// store's own checkpoint.
  ///
  /// - Throws: `TapeError` `.corrupt`, with all that is wrong, where no checkpoint should be made; `.io`.
  package func checkpoint() throws -> CheckpointNote {
    let origin = try store.origin()
    let own = try store.ownCheckpoint().map { [Verifier.Kept(name: Store.checkpointFile, note: $0)] } ?? []
    let tree = try ArchiveTree(store: store)
    var audit = try TreeAudit(tree: tree, kept: own)
    audit.compare(origin: origin)
    let unreadable = tree.damage.filter { tree.unreadable.contains($0.file) }
    let damage = audit.damage + unreadable.filter { !audit.damage.contains($0) }
    guard damage.isEmpty, let end = audit.end else {
      let list = damage.map { "\n  \($0.description)" }.joined()
      throw TapeError(
        .corrupt, "the archive \(store.archivePath) is not whole, so it has no checkpoint; run tapedeck verify\(list)")
    }
    return CheckpointNote(Checkpoint(origin: origin, tree: end))
  }

  /// The proof that a call is in the archive.
  ///
  /// - Parameters:
  ///   - note: the checkpoint to prove it for; nil for that of the archive as it is.
  ///   - bare: leave out what says whose call it is: request, metadata, times.
  /// - Throws: `TapeError` `.notFound`; `.failed` when the call is not sealed, or sealed after that checkpoint;
  ///   `.corrupt`, `.io`.
  package func proof(of id: CallID, in note: CheckpointNote? = nil, bare: Bool = false) throws -> CallProof {
    let tree = try ArchiveTree(store: store)
    guard let (part, leaf) = try find(id, tree) else {
      if try ArchiveReader(store: store).find(id) != nil {
        throw TapeError(.failed, "call \(id) is in a journal and not in the tree yet; run tapedeck seal first")
      }
      throw TapeError(.notFound, "the archive \(store.archivePath) has no call \(id)")
    }
    if let note { try checkOrigin(note) }
    let size = note?.checkpoint.size ?? tree.size
    guard leaf.number < size else {
      throw TapeError(
        .failed,
        "call \(id) was sealed after that checkpoint: it is leaf \(leaf.number), and the checkpoint counts \(size)")
    }
    let (hashes, root) = try subtrees(MerkleProof.inclusion(of: leaf.number, in: size), tree, size: size)
    if let note { try check(note, root, size: size) }
    return CallProof(
      id: id, leaf: leaf.hash, leafNumber: leaf.number, content: try content(part, leaf, bare: bare), inclusion: hashes,
      note: try note ?? CheckpointNote(Checkpoint(origin: store.origin(), size: size, root: root)))
  }

  /// The places of all sealed calls in the tree of the archive as it is, and its checkpoint.
  ///
  /// - Throws: `TapeError` `.corrupt` when leaves are missing; `.io`.
  package func places() throws -> CallPlaces {
    let tree = try ArchiveTree(store: store)
    if let gap = tree.missing.first {
      throw TapeError(
        .corrupt, "leaves \(gap.lowerBound) to \(gap.upperBound - 1) are missing in the archive; run tapedeck verify")
    }
    var hashes: [MerkleHash] = []
    var ids: [CallID] = []
    let end = try tree.walk { _, leaves, _ in
      for leaf in leaves {
        hashes.append(leaf.hash)
        ids.append(leaf.id)
      }
    }
    guard !ids.isEmpty, let end else { return CallPlaces() }
    return CallPlaces(
      note: CheckpointNote(Checkpoint(origin: try store.origin(), tree: end)), ids: ids, hashes: hashes)
  }

  /// The proof that the archive of one checkpoint is the beginning of that of another.
  ///
  /// - Parameter new: nil for the archive as it is.
  /// - Throws: `TapeError` `.failed` when it is not, or the archive is neither's; `.corrupt`, `.io`.
  package func consistency(from old: CheckpointNote, to new: CheckpointNote? = nil) throws -> ConsistencyProof {
    let new = try new ?? checkpoint()
    let (from, size) = (old.checkpoint.size, new.checkpoint.size)
    for note in [old, new] { try checkOrigin(note) }
    guard from <= size else {
      throw TapeError(
        .failed, "the old checkpoint counts \(from) calls and the new one \(size): name the older one first")
    }
    let tree = try ArchiveTree(store: store)
    let (hashes, root) = try subtrees(MerkleProof.consistency(from: from, to: size), tree, size: size)
    try check(new, root, size: size)
    try check(old, try subtrees([], tree, size: from).root, size: from)
    return ConsistencyProof(old: old, new: new, path: hashes)
  }

  private func checkOrigin(_ note: CheckpointNote) throws {
    let origin = try store.origin()
    guard note.checkpoint.origin == origin else {
      throw TapeError(.failed, "the checkpoint is of \(note.checkpoint.origin), and this store is \(origin)")
    }
  }

  private func check(_ note: CheckpointNote, _ root: MerkleHash, size: Int) throws {
    guard note.checkpoint.root == root else {
      throw TapeError(
        .failed,
        "the first \(size) calls of the archive are not those that the checkpoint was made of; run tapedeck verify")
    }
  }

  private func find(_ id: CallID, _ tree: ArchiveTree) throws -> (ArchiveTree.Part, ArchiveTree.Leaf)? {
    for part in tree.parts {
      if let leaf = try tree.leaves(of: part).first(where: { $0.id == id }) { return (part, leaf) }
    }
    return nil
  }

  /// Hashes of subtrees, and the root of the first `size` leaves.
  private func subtrees(
    _ ranges: [Range<Int>], _ tree: ArchiveTree, size: Int
  ) throws -> (hashes: [MerkleHash], root: MerkleHash) {
    guard size <= tree.size else {
      throw TapeError(
        .failed, "the checkpoint counts \(size) calls and the archive has \(tree.size): the newest are gone")
    }
    if let gap = tree.missing.first(where: { $0.lowerBound < size }) {
      throw TapeError(
        .corrupt, "leaves \(gap.lowerBound) to \(gap.upperBound - 1) are missing in the archive; run tapedeck verify")
    }
    var collector = SubtreeCollector(ranges)
    var whole = CompactTree()
    _ = try tree.walk { _, leaves, _ in
      for leaf in leaves where leaf.number < size {
        collector.append(leaf.hash)
        whole.append(leaf.hash)
      }
    }
    return (collector.hashes.compactMap { $0 }, whole.root)
  }

  private func content(_ part: ArchiveTree.Part, _ leaf: ArchiveTree.Leaf, bare: Bool) throws -> CallProof.Content {
    if part.isLeafList { return .removed }
    let segment = try SegmentReader(store: store, name: part.file)
    guard let entry = segment.entries.first(where: { $0.id == leaf.id }) else {
      throw TapeError(.corrupt, "the segment \(part.file) has no call \(leaf.id) any more")
    }
    guard let call = try segment.item(entry).call else { return .erased }
    let parts = LeafParts(of: call)
    if bare { return .hashes(parts) }
    return .call(
      CallProof.Parts(
        salt: parts.salt, open: CallCoding.json(call.open), body: call.open.body,
        head: call.head.map { CallCoding.json($0) }, end: call.endJSON, raw: parts.raw,
        times: parts.times))
  }
}
