internal import TapeTypes

/// Writes a segment again with tombstones in the place of calls.
///
/// Only the blocks with such calls are made anew; all others are copied as they lie there. Name, order, leaf hashes and
/// places in the store's tree stay, and with them the root and the proofs of all other calls. The old file is replaced
/// when the new one was read back and says the same of every call but the erased ones.
struct SegmentErasure {
  let store: Store
  let level: Int
  let erasing: Erasing

  struct Outcome: Equatable {
    var erased: [CallID] = []
    var bytesBefore = 0
    var bytesAfter = 0
  }

  /// - Returns: nil if nothing in the segment has to.
  /// - Throws: `BlockError` or `TapeError` `.corrupt` if a block that is to change cannot be read: the segment then
  ///   stays as it is.
  func rewrite(_ name: String) throws -> Outcome? {
    let file = try SegmentFile(store: store, name: name)
    let old = try file.index()
    let wanted = try blocks(of: file, old.entries)
    guard !wanted.isEmpty else { return nil }
    // What lies beside the blocks that its seek table names would be lost.
    if let problem = file.problem { throw file.corrupt(problem) }
    _ = try file.checkFrames()
    var outcome = Outcome(bytesBefore: try file.size())
    let segment = try SegmentWriter(store: store, name: name, level: file.level ?? level, place: old.place)
    let canCopy = type(of: file.coding).name == BlockCodings.current.name
    var entries = old.entries[...]
    /// Blocks of the new file that are copies: which of the old one.
    var copied: [Int: Int] = [:]
    for block in 0..<file.blockCount {
      let offset = file.blockOffset(block)
      let named = entries.prefix { $0.blockOffset == offset }
      entries = entries.dropFirst(named.count)
      if canCopy, !wanted.contains(offset), named.allSatisfy({ $0.leafHash != nil }) {
        try segment.copy(block: block, of: file, named)
        copied[segment.blockCount - 1] = block
      } else {
        try add(file.items(inBlock: block), Array(named), to: segment, &outcome)
      }
    }
    guard entries.isEmpty else { throw file.corrupt("its index names calls that are not there") }
    try segment.finish()
    try verify(segment, against: file, old.entries, copied: copied, erased: Set(outcome.erased))
    outcome.bytesAfter = segment.size
    try store.files.rename(segment.temporaryPath, to: segment.path)
    try store.files.syncDirectory(store.archivePath)
    return outcome
  }

  /// Offsets of the blocks that have to change.
  private func blocks(of file: SegmentFile, _ entries: [SegmentEntry]) throws -> Set<Int> {
    var offsets: Set<Int> = []
    for entry in entries where erasing.wants(entry.id) && !offsets.contains(entry.blockOffset) {
      // Of a tombstone only its block says whether it kept something.
      if entry.isErased {
        guard erasing.list[entry.id]?.keepsUsage == false, let block = file.block(at: entry.blockOffset),
          case .tombstone(let tombstone)? = try file.items(inBlock: block, only: entry.id).first, tombstone.kept != nil
        else { continue }
      }
      offsets.insert(entry.blockOffset)
    }
    return offsets
  }

  private func add(
    _ items: [SegmentItem], _ named: [SegmentEntry], to segment: SegmentWriter, _ outcome: inout Outcome
  ) throws {
    guard items.map(\.id) == named.map(\.id) else { throw BlockError("its index does not fit its calls") }
    for (item, entry) in zip(items, named) {
      let leaf = item.leafHash
      guard entry.leafHash == nil || entry.leafHash == leaf else {
        throw BlockError("call \(item.id) is not the one whose leaf hash is in the index")
      }
      if let tombstone = erasing.replacement(for: item, leaf) {
        outcome.erased.append(item.id)
        try segment.add(.tombstone(tombstone))
      } else {
        try segment.add(item)
      }
    }
    try segment.closeBlock()
  }

  /// Reads the new file back: the same calls in the same order with the same leaf hashes, the erased ones tombstones,
  /// and blocks that were copied the same to the byte.
  private func verify(
    _ segment: SegmentWriter, against old: SegmentFile, _ oldEntries: [SegmentEntry], copied: [Int: Int],
    erased: Set<CallID>
  ) throws {
    let file = try SegmentFile(store: store, name: segment.name + ".tmp")
    let entries = try file.index().entries
    let problem = TapeError(
      .failed, "\(segment.name) did not come back as it was written without the erased calls; it is left as it was")
    _ = try file.checkFrames()
    guard file.problem == nil, entries.map(\.id) == oldEntries.map(\.id),
      entries.map(\.startedAtNs) == oldEntries.map(\.startedAtNs),
      zip(entries, oldEntries).allSatisfy({ $1.leafHash == nil || $0.leafHash == $1.leafHash }),
      zip(entries, oldEntries).allSatisfy({ $0.isErased == ($1.isErased || erased.contains($1.id)) })
    else { throw problem }
    var rest = entries[...]
    for block in 0..<file.blockCount {
      let offset = file.blockOffset(block)
      let named = rest.prefix { $0.blockOffset == offset }
      rest = rest.dropFirst(named.count)
      if let origin = copied[block] {
        let frames = try zip(file.rawFrames(ofBlock: block), old.rawFrames(ofBlock: origin))
        guard frames.allSatisfy({ $0.bytes == $1.bytes }) else { throw problem }
      } else {
        let items = try file.items(inBlock: block)
        guard items.map(\.leafHash) == named.map(\.leafHash), items.map(\.id) == named.map(\.id),
          items.allSatisfy({ !erased.contains($0.id) || $0.call == nil })
        else { throw problem }
      }
    }
    guard rest.isEmpty else { throw problem }
  }
}
