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

  /// Those of the calls that are not there, now that the blocks that should have them are read. A tombstone and a leaf
  /// list say all there is; of a call a segment has to have what its index says.
  func missing(_ ids: [CallID]) throws -> Set<CallID> {
    var missing = Set(ids.filter { files[$0] == nil })
    var left = Set(ids).subtracting(missing)
    for name in Set(left.flatMap { files[$0] ?? [] }).sorted() {
      guard SegmentFormat.parse(fileName: name) != nil else {
        left = left.filter { files[$0]?.contains(name) != true }
        continue
      }
      let segment: SegmentReader
      do { segment = try SegmentReader(store: store, name: name) } catch let error as TapeError where error.isDamage {
        continue
      }
      let here = left
      try segment.forEachBlock(onDamage: { _ in }) { block, _, entries in
        guard entries.contains(where: { here.contains($0.id) }) else { return }
        left.subtract(entries.filter(\.isErased).map(\.id))
        do {
          left.subtract(try segment.soundItems(inBlock: block, entries).map(\.item.id))
        } catch let error where error is BlockError || error is ZstdError {
          // They are missing, unless another file has them.
        }
      }
    }
    missing.formUnion(left)
    return missing
  }
}
