internal import TapeTypes

/// Which of the calls of journals are sealed already: a seal may have ended before it removed its journals, or a
/// journal was kept for another call that had not ended.
///
/// Every segment and leaf list is asked, by its content: no time and no name of a file says which calls it has.
struct SealedCalls {
  /// The files that name each of the calls, by name.
  private(set) var files: [CallID: [String]] = [:]
  /// Those that are tombstones.
  private(set) var erased: Set<CallID> = []
  /// Those of leaf lists.
  private(set) var removed: Set<CallID> = []
  /// What cannot be read of files that may have more of them.
  private(set) var damage: [Damage] = []
  private let store: Store

  init(_ ids: [CallID], in store: Store) throws {
    self.store = store
    guard !ids.isEmpty else { return }
    let wanted = Dictionary(ids.map { (Self.key(Array($0.description.utf8)[...]), $0) }) { first, _ in first }
    let all = Set(ids)
    for name in try store.archiveFiles() {
      do {
        if SegmentFormat.parse(fileName: name) != nil {
          try look(inSegment: name, wanted, all)
        } else if LeafList.segmentName(of: name) != nil {
          for leaf in try LeafList(store: store, name: name).leaves where all.contains(leaf.id) {
            files[leaf.id, default: []].append(name)
            removed.insert(leaf.id)
          }
        }
      } catch let error as TapeError where error.isDamage {
        damage.append(Damage(file: name, offset: 0, calls: [], message: error.description))
      } catch let error as TapeError where error.code == .notFound {
        // Removed since the directory was read.
      }
    }
  }

  private mutating func look(inSegment name: String, _ wanted: [UInt64: CallID], _ all: Set<CallID>) throws {
    // Mostly it has none of them: then its index need not be taken apart.
    if let text = try? SegmentFile(store: store, name: name).soundIndexText(), !Self.names(wanted, text) { return }
    let segment = try SegmentReader(store: store, name: name)
    for entry in segment.entries where all.contains(entry.id) {
      files[entry.id, default: []].append(name)
      if entry.isErased { erased.insert(entry.id) }
    }
    if let problem = segment.problem {
      damage.append(Damage(file: name, offset: 0, calls: [], message: problem))
    }
  }

  /// Some line of the index begins as one of the calls' does, or may.
  private static func names(_ wanted: [UInt64: CallID], _ text: [UInt8]) -> Bool {
    var found = false
    try? TextLines.forEach(text) { line in
      if !found, line.count > 26, line[0] != 0x23 { found = wanted[key(line[..<26])] != nil }
    }
    return found
  }

  /// The end of an id, which is random.
  private static func key(_ id: some BidirectionalCollection<UInt8>) -> UInt64 {
    id.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// What the files really have of a call.
  enum Content {
    /// A tombstone, or a leaf in a leaf list: that is all there is.
    case settled
    /// The call, with these leaf hashes.
    case calls(Set<[UInt8]>)
  }

  /// What the files really have of the calls, now that the blocks that should have them are read. Calls that none of
  /// them has are left out.
  func contents(of ids: Set<CallID>) throws -> [CallID: Content] {
    var leaves: [CallID: Set<[UInt8]>] = [:]
    let settled = ids.intersection(removed.union(erased))
    let open = ids.subtracting(settled)
    for name in Set(open.flatMap { files[$0] ?? [] }).sorted() where SegmentFormat.parse(fileName: name) != nil {
      let segment: SegmentReader
      do { segment = try SegmentReader(store: store, name: name) } catch let error as TapeError where error.isDamage {
        continue
      }
      try segment.forEachBlock(onDamage: { _ in }) { block, _, entries in
        guard entries.contains(where: { open.contains($0.id) }) else { return }
        do {
          for hashed in try segment.soundItems(inBlock: block, entries) where open.contains(hashed.item.id) {
            leaves[hashed.item.id, default: []].insert(hashed.leafHash)
          }
        } catch let error where error is BlockError || error is ZstdError {
          // They are missing, unless another file has them.
        }
      }
    }
    var contents = leaves.mapValues(Content.calls)
    for id in settled { contents[id] = .settled }
    return contents
  }
}
