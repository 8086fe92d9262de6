internal import TapeTypes

/// Checks the store's tree: whether its files follow from each other, no call is in it twice, and it goes on from the
/// checkpoints that are known.
struct TreeAudit {
  private(set) var damage: [Damage] = []
  private(set) var notes: [VerifyReport.Note] = []
  private(set) var compared: [VerifyReport.Compared] = []
  /// nil if it cannot be told.
  private(set) var end: CompactTree?
  private(set) var removed = 0
  /// Calls of journals, and those of them that are sealed.
  private let unsealed: Set<CallID>
  private var sealed: Set<CallID> = []
  private let tree: ArchiveTree
  private let kept: [Verifier.Kept]
  /// The call that is looked for, and where it was found.
  private let wanted: CallID?
  private(set) var found: (part: ArchiveTree.Part, leaf: ArchiveTree.Leaf)?
  /// The tree of the archive at the size of each checkpoint.
  private var roots: [Int: MerkleHash] = [:]

  /// - Parameters:
  ///   - wanted: the one call that is looked for.
  ///   - unsealed: calls of journals; which of them are sealed too is told by `contains`.
  init(tree: ArchiveTree, kept: [Verifier.Kept], wanted: CallID? = nil, unsealed: Set<CallID> = []) throws {
    self.tree = tree
    self.wanted = wanted
    self.unsealed = unsealed
    self.kept = kept
    // A segment that cannot be read is reported by its own audit.
    damage = tree.damage.filter { !tree.unreadable.contains($0.file) || LeafList.segmentName(of: $0.file) != nil }
    for double in tree.doubled { report(double) }
    try walk()
  }

  private mutating func report(_ double: ArchiveTree.Double) {
    guard LeafList.segmentName(of: double.file) == nil else {
      let what = "its segment is there too: it was not removed to the end"
      notes.append(VerifyReport.Note(.doubled, file: double.file, what))
      return
    }
    // The name does not say which one is to go: a backup may have been put back under any.
    let copies = [(double.file, double.other, double.erasedThere), (double.other, double.file, double.erasedHere)]
    for (file, other, calls) in copies where !calls.isEmpty {
      let what =
        "it still has calls that are erased in \(other), which has all others of it too: if you erased them, "
        + "this is a copy from before, and has to be removed"
      damage.append(Damage(file: file, offset: 0, calls: calls, message: what))
    }
    if double.erasedHere.isEmpty && double.erasedThere.isEmpty {
      let what = "\(double.other) has the same calls; one of the two can go"
      damage.append(Damage(file: double.file, offset: 0, calls: [], message: what))
    }
  }

  /// - Parameter id: of a journal's call.
  func contains(_ id: CallID) -> Bool { sealed.contains(id) }

  private mutating func walk() throws {
    let sizes = Set(kept.map(\.note.checkpoint.size))
    if sizes.contains(0) { roots[0] = .empty }
    var ids = LeafIDs()
    var problems: [Damage] = []
    end = try tree.walk { part, error in
      problems.append(Damage(file: part.file, offset: 0, calls: [], message: error.description))
    } _: { part, leaves, before in
      if let stated = part.before, let before, stated != before {
        let what = "it was sealed behind other calls than those that are before it now"
        damage.append(Damage(file: part.file, offset: 0, calls: [], message: what))
      }
      if part.isLeafList { removed += leaves.count }
      var running = before
      let isWanted = sizes.contains { $0 >= part.first && $0 <= part.range.upperBound }
      for leaf in leaves {
        ids.append(leaf.id)
        if unsealed.contains(leaf.id) { sealed.insert(leaf.id) }
        if leaf.id == wanted { found = (part, leaf) }
        guard isWanted else { continue }
        if sizes.contains(leaf.number) { roots[leaf.number] = running?.root }
        running?.append(leaf.hash)
      }
      if isWanted, sizes.contains(part.range.upperBound) { roots[part.range.upperBound] = running?.root }
    }
    // A damaged file is reported with its calls where it is read; here only if that is not done.
    damage += problems.filter { problem in LeafList.segmentName(of: problem.file) != nil }
    if end?.size != tree.size { end = nil }
    try reportRepeated(ids.repeated())
  }

  /// Calls that are in the tree twice.
  ///
  /// - Parameter keys: of ids that may be; mostly there are none.
  private mutating func reportRepeated(_ keys: Set<UInt64>) throws {
    guard !keys.isEmpty else { return }
    var files: [CallID: String] = [:]
    _ = try tree.walk(onDamage: { _, _ in }) { part, leaves, _ in
      for leaf in leaves where keys.contains(leaf.id.low) {
        guard let other = files.updateValue(part.file, forKey: leaf.id) else { continue }
        let what = "a call of this id is in \(other) too"
        damage.append(Damage(file: part.file, offset: 0, calls: [leaf.id], message: what))
      }
    }
  }

  /// Compares the tree with the checkpoints.
  ///
  /// - Parameter origin: of this store.
  mutating func compare(origin: String) {
    for kept in kept {
      let checkpoint = kept.note.checkpoint
      let result = result(checkpoint, origin)
      compared.append(
        VerifyReport.Compared(
          file: kept.name, size: checkpoint.size, root: checkpoint.root, result: result,
          signature: kept.key.map { kept.note.note.check($0) }))
      if let problem = problem(checkpoint, result, origin) {
        damage.append(Damage(file: kept.name, offset: 0, calls: [], message: problem))
      }
      if let key = kept.key, kept.note.note.check(key) != .valid {
        let what =
          kept.note.note.check(key) == .missing
          ? "it has no signature by the key \(key.name)" : "it is not what the key \(key.name) signed"
        damage.append(Damage(file: kept.name, offset: 0, calls: [], message: what))
      }
    }
  }

  private func result(_ checkpoint: Checkpoint, _ origin: String) -> VerifyReport.Compared.Result {
    if checkpoint.origin != origin { return .foreign }
    if checkpoint.size > tree.size { return .removed }
    guard let root = roots[checkpoint.size] else { return .unknown }
    if root != checkpoint.root { return .different }
    return checkpoint.size == tree.size ? .same : .older
  }

  private func problem(
    _ checkpoint: Checkpoint, _ result: VerifyReport.Compared.Result, _ origin: String
  ) -> String? {
    switch result {
    case .same, .older: return nil
    case .foreign: return "it is a checkpoint of \(checkpoint.origin), and this store is \(origin)"
    case .removed:
      let count = checkpoint.size - tree.size
      let range = count == 1 ? "leaf \(tree.size)" : "leaves \(tree.size) to \(checkpoint.size - 1)"
      return "it counts \(checkpoint.size) calls and the archive has \(tree.size): the newest "
        + "\(count == 1 ? "one was" : "\(count) were") removed (\(range) of the tree)"
    case .different:
      return "the first \(checkpoint.size) calls of the archive are not those that it was made of: calls were changed, "
        + "removed, added or reordered since"
    case .unknown:
      return "the archive's root at \(checkpoint.size) calls cannot be told, as leaves before it are missing or "
        + "cannot be read"
    }
  }
}
