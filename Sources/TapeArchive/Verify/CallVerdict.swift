package import TapeTypes

/// What checking one call came to.
package struct CallVerdict: Sendable {
  package enum Place: String, Sendable {
    case segment, journal
    /// A tombstone stands in its place.
    case erased
    /// Retention removed its segment; its leaf hash was kept.
    case removed
  }

  package var id: CallID
  package var place: Place
  package var file: String
  /// Where its block or its open record is; nil for what has none.
  package var offset: Int?
  /// nil for a call that has not ended.
  package var leaf: MerkleHash?
  /// nil in a journal.
  package var leafNumber: Int?
  package var treeSize = 0
  package var root: MerkleHash?
  package var checkpoints: [VerifyReport.Compared] = []
  package var damage: [Damage] = []
  package var notes: [VerifyReport.Note] = []
}

extension Verifier {
  /// One call: its own bytes, its leaf hash, and its place in the tree that the store's checkpoint and the kept ones
  /// are of.
  ///
  /// - Throws: `TapeError` `.notFound`, `.io`.
  package func run(call id: CallID, kept: [Kept] = []) throws -> CallVerdict {
    do {
      var kept = kept
      var problem: Damage?
      do {
        if let own = try store.ownCheckpoint() { kept.insert(Kept(name: Store.checkpointFile, note: own), at: 0) }
      } catch let error as TapeError where error.code == .corrupt {
        problem = Damage(file: Store.checkpointFile, offset: 0, calls: [], message: error.description)
      }
      let tree = try ArchiveTree(store: store)
      var audit = try TreeAudit(tree: tree, kept: kept, wanted: id)
      guard let found = audit.found else { return try outsideTheTree(id, tree) }
      audit.compare(origin: try store.origin())
      var verdict = CallVerdict(
        id: id, place: found.part.isLeafList ? .removed : found.leaf.isErased ? .erased : .segment,
        file: found.part.file, leaf: found.leaf.hash, leafNumber: found.leaf.number, treeSize: tree.size,
        root: audit.end?.root, checkpoints: audit.compared)
      // Of what is wrong with the tree, what speaks of this call or of all of them.
      verdict.damage = (problem.map { [$0] } ?? []) + audit.damage.filter { $0.calls.isEmpty || $0.calls.contains(id) }
      if !found.part.isLeafList { check(&verdict) }
      return verdict
    } catch let error as FileError {
      throw TapeError(
        .io, "cannot read the archive \(store.archivePath): \(error.reason) (\(error.doing))")
    }
  }

  private func check(_ verdict: inout CallVerdict) {
    func add(_ message: String, _ offset: Int) {
      verdict.damage.append(Damage(file: verdict.file, offset: offset, calls: [verdict.id], message: message))
    }
    do {
      let segment = try SegmentReader(store: store, name: verdict.file)
      guard let entry = segment.entries.first(where: { $0.id == verdict.id }) else { return }
      verdict.offset = entry.blockOffset
      if let problem = segment.problem { add(problem, 0) }
      do { _ = try segment.checkFrames() } catch { if segment.problem == nil { add("\(error)", 0) } }
      let item = try segment.item(entry)
      guard let call = item.call else { return }
      if call.end == nil {
        verdict.notes.append(
          VerifyReport.Note(.lost, file: verdict.file, calls: [verdict.id], JournalAudit.lostMessage))
      }
      if let problem = integrityProblem(of: call) { add(problem, entry.blockOffset) }
    } catch {
      add("\(error)", verdict.offset ?? 0)
    }
  }

  private func outsideTheTree(_ id: CallID, _ tree: ArchiveTree) throws -> CallVerdict {
    guard let (call, location) = try ArchiveReader(store: store).find(id) else {
      throw TapeError(.notFound, "the archive \(store.archivePath) has no call \(id)")
    }
    if SegmentFormat.parse(fileName: location.file) != nil {
      // Its segment is so damaged that its place in the tree cannot be told.
      var verdict = CallVerdict(
        id: id, place: .segment, file: location.file, offset: location.offset, leaf: MerkleHash(leafHash(of: call)),
        treeSize: tree.size)
      check(&verdict)
      return verdict
    }
    var verdict = CallVerdict(id: id, place: .journal, file: location.file, offset: location.offset)
    verdict.treeSize = tree.size
    if call.end != nil { verdict.leaf = MerkleHash(leafHash(of: call)) }
    var audit = JournalAudit(store: store) { _ in }
    try audit.run(only: JournalFormat.parse(fileName: location.file)?.writer)
    verdict.damage = audit.damage.filter { $0.calls.contains(id) || ($0.calls.isEmpty && $0.file == location.file) }
    verdict.notes = audit.notes.filter { $0.calls.contains(id) || ($0.calls.isEmpty && $0.file == location.file) }
    return verdict
  }
}
