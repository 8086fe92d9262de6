package import TapeTypes

/// The store's Merkle tree: which file has which leaves. Made from the ends of the files alone; the leaves themselves
/// are read when they are asked for.
package struct ArchiveTree {
  /// A segment or a leaf list.
  package struct Part: Equatable {
    package var file: String
    package var first: Int
    package var count: Int
    /// The tree before, as the file states it.
    package var before: CompactTree?
    package var isLeafList: Bool
    /// The file states its place; segments of the first programs do not.
    var statesPlace: Bool

    package var range: Range<Int> { first..<(first + count) }
  }

  /// One leaf, as the index of its file has it.
  package struct Leaf {
    package var number: Int
    package var id: CallID
    package var hash: MerkleHash
    package var isErased: Bool
  }

  /// A file that has the leaves of another one, and by that does not count.
  package struct Double {
    package var file: String
    package var other: String
    /// Calls that are tombstones in one of them only.
    package var erasedHere: [CallID]
    package var erasedThere: [CallID]
  }

  private let store: Store
  /// In the order of the tree, none of them twice.
  package private(set) var parts: [Part] = []
  /// Leaves that no file has.
  package private(set) var missing: [Range<Int>] = []
  /// Files that cannot be read, that claim the same leaves as others, and what is missing.
  package private(set) var damage: [Damage] = []
  /// Files whose leaves another file has too: the same segment twice, or a leaf list beside its segment.
  package private(set) var doubled: [Double] = []
  package private(set) var unreadable: [String] = []
  /// How many leaves the store's own checkpoint counts: so many have been there.
  private let counted: Int

  /// Every segment that is there, also those that cannot be read or are there twice, by name.
  package private(set) var segments: [String] = []

  /// The number of leaves, missing ones too.
  package var size: Int { parts.last?.range.upperBound ?? 0 }

  /// - Throws: `TapeError` `.io`.
  package init(store: Store) throws {
    self.store = store
    counted = (try? store.ownCheckpoint()?.checkpoint.size) ?? 0
    var found: [Part] = []
    do {
      for name in try store.archiveFiles() {
        guard let part = try read(name) else { continue }
        found.append(part)
      }
    } catch let error as FileError {
      throw TapeError(.io, "cannot list \(store.archivePath): \(error.reason)")
    }
    place(&found)
    found.sort { ($0.first, $0.isLeafList ? 1 : 0, $0.file) < ($1.first, $1.isLeafList ? 1 : 0, $1.file) }
    for part in found { join(part) }
  }

  // MARK: Files

  private mutating func read(_ name: String) throws -> Part? {
    do {
      if SegmentFormat.parse(fileName: name) != nil {
        segments.append(name)
        let (place, count) = try SegmentFile.treePlace(store: store, name: name)
        return Part(
          file: name, first: place?.firstLeaf ?? 0, count: count, before: place?.before, isLeafList: false,
          statesPlace: place != nil)
      }
      guard LeafList.segmentName(of: name) != nil else { return nil }
      let list = try LeafList(store: store, name: name)
      return Part(
        file: name, first: list.place.firstLeaf, count: list.leaves.count, before: list.place.before, isLeafList: true,
        statesPlace: true)
    } catch let error as TapeError where error.isDamage {
      unreadable.append(name)
      damage.append(Damage(file: name, offset: 0, calls: [], message: error.description))
    } catch let error as TapeError where error.code == .notFound {
      // Removed since the directory was read.
    }
    return nil
  }

  /// Segments that do not state their place were all sealed before any that does: they take, in the order of their
  /// names, the places that the others leave free from 0 on.
  private func place(_ parts: inout [Part]) {
    let taken = parts.filter(\.statesPlace).map(\.range).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    var next = 0
    for index in parts.indices where !parts[index].statesPlace {
      for range in taken where range.contains(next) { next = range.upperBound }
      parts[index].first = next
      next += parts[index].count
    }
  }

  /// So many leaves in a row may be missing, and no store has more than so many. A file that leads beyond that is none
  /// of this store's: sealing would have to go on behind it, where soon no number is left.
  static let mostMissing = 1 << 32
  static let mostLeaves = 1 << 47

  private func isBelievable(_ part: Part) -> Bool {
    part.first - size <= Self.mostMissing || part.first <= min(counted, Self.mostLeaves)
  }

  private mutating func join(_ part: Part) {
    guard part.count > 0 else { return }
    guard isBelievable(part) else {
      damage.append(
        Damage(
          file: part.file, offset: 0, calls: (try? leaves(of: part))?.map(\.id) ?? [],
          message: "it says that it has leaves from \(part.first) on, where the archive has \(size): it is not of this "
            + "store, and does not count"))
      return
    }
    if part.first > size {
      missing.append(size..<part.first)
      let which = size + 1 == part.first ? "leaf \(size) is" : "leaves \(size) to \(part.first - 1) are"
      damage.append(
        Damage(
          file: part.file, offset: 0, calls: [],
          message: "\(which) in no file: a segment that was sealed before this one is missing"))
    } else if part.first < size {
      return overlap(part)
    }
    parts.append(part)
  }

  /// A part that claims leaves which are in another file.
  private mutating func overlap(_ part: Part) {
    if let twin = parts.last(where: { $0.range == part.range }), let ours = try? leaves(of: part),
      let theirs = try? leaves(of: twin), ours.map(\.hash) == theirs.map(\.hash)
    {
      let pairs = part.isLeafList || twin.isLeafList ? [] : zip(ours, theirs).filter { $0.isErased != $1.isErased }
      doubled.append(
        Double(
          file: part.file, other: twin.file, erasedHere: pairs.filter(\.0.isErased).map(\.0.id),
          erasedThere: pairs.filter(\.1.isErased).map(\.0.id)))
      return
    }
    let others = parts.filter { $0.range.overlaps(part.range) }.map(\.file).joined(separator: ", ")
    damage.append(
      Damage(
        file: part.file, offset: 0, calls: (try? leaves(of: part))?.map(\.id) ?? [],
        message: "it has leaves \(part.first) to \(part.range.upperBound - 1), which \(others) has too, and they differ"
      ))
  }

  // MARK: Leaves

  /// The leaves of one file. Those of a segment whose index does not have them are computed.
  ///
  /// - Throws: `TapeError` `.corrupt`, `.newerVersion`, `.notFound`, `.io`.
  package func leaves(of part: Part) throws -> [Leaf] {
    if part.isLeafList {
      return try LeafList(store: store, name: part.file).leaves.enumerated().map {
        Leaf(number: part.first + $0.offset, id: $0.element.id, hash: $0.element.hash, isErased: false)
      }
    }
    let segment = try SegmentReader(store: store, name: part.file)
    var leaves: [Leaf] = []
    leaves.reserveCapacity(segment.entries.count)
    for entry in segment.entries {
      guard let hash = entry.leaf else { return try computed(segment, part) }
      leaves.append(Leaf(number: part.first + leaves.count, id: entry.id, hash: hash, isErased: entry.isErased))
    }
    return leaves
  }

  private func computed(_ segment: SegmentReader, _ part: Part) throws -> [Leaf] {
    var leaves: [Leaf] = []
    // With a damaged index the blocks say it all; that it is damaged is told by whoever reads the segment.
    var isKnown = segment.problem == nil
    try segment.forEachItem {
      guard !isKnown else { throw segment.file.corrupt("\($0)") }
      isKnown = true
    } _: { item, _, hash in
      guard let hash = MerkleHash(hash) else { return }
      leaves.append(
        Leaf(number: part.first + leaves.count, id: item.id, hash: hash, isErased: item.call == nil))
    }
    return leaves
  }

  /// The tree of all leaves. Where some are missing or cannot be read, it goes on from what the next file says of the
  /// tree before it.
  ///
  /// - Parameters:
  ///   - onDamage: gets files whose leaves cannot be read.
  ///   - body: gets each part with its leaves, and the tree before them as it was computed.
  /// - Returns: nil if leaves are missing and nothing says what the tree was behind them.
  /// - Throws: `TapeError` `.io`, and what `onDamage` and `body` throw.
  package func walk(
    onDamage: (Part, TapeError) throws -> Void = { throw $1 },
    _ body: (Part, [Leaf], CompactTree?) throws -> Void
  ) throws -> CompactTree? {
    var tree: CompactTree? = CompactTree()
    for part in parts {
      if part.first != tree?.size { tree = part.before }
      let leaves: [Leaf]
      do {
        leaves = try self.leaves(of: part)
        guard leaves.count == part.count else {
          throw TapeError(.corrupt, "\(part.file) has \(leaves.count) leaves, not the \(part.count) that it states")
        }
      } catch let error as TapeError where error.isDamage {
        try onDamage(part, error)
        tree = nil
        continue
      }
      try body(part, leaves, tree)
      for leaf in leaves { tree?.append(leaf.hash) }
    }
    return tree
  }

  /// The same, from the last file alone if that says what the tree before it was.
  package func end() throws -> CompactTree? {
    guard let last = parts.last else { return CompactTree() }
    guard var tree = last.before else { return try walk { _, _, _ in } }
    let leaves = try leaves(of: last)
    guard leaves.count == last.count else {
      throw TapeError(.corrupt, "\(last.file) has \(leaves.count) leaves, not the \(last.count) that it states")
    }
    for leaf in leaves { tree.append(leaf.hash) }
    return tree
  }
}

extension SegmentFile {
  /// What a segment says of its place in the tree, and how many leaves it has, by its index.
  ///
  /// - Throws: `TapeError` `.corrupt`, `.newerVersion`, `.notFound`, `.io`.
  static func treePlace(store: Store, name: String) throws -> (place: TreePlace?, count: Int) {
    let file = try SegmentFile(store: store, name: name)
    do {
      return try SegmentIndex.start(file.indexText())
    } catch let error as FileError {
      throw file.wrapped(error)
    } catch {
      // Its heads may say which calls it has; that it is damaged is told by whoever reads them.
      let count = file.entriesOfHeads().count
      guard count > 0 else { throw file.wrapped(error) }
      return (nil, count)
    }
  }
}
