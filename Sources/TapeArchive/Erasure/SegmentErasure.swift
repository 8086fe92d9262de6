internal import TapeTypes

/// Writes a segment again with tombstones in the place of calls.
///
/// Only the blocks with such calls are made anew; all others are copied as they lie there, damage included. Name, order,
/// leaf hashes and places in the store's tree stay, and with them the root and the proofs of all other calls. The old
/// file is replaced when the new one was read back and says the same of every call but the erased ones.
///
/// A segment whose explaining text, index, checksums or seek table is damaged gets new ones; bytes that belong to no
/// block that can be found are taken along. A block that cannot be read stays as it is, and its calls with it.
struct SegmentErasure {
  let store: Store
  let level: Int
  let erasing: Erasing

  struct Outcome {
    var erased: [CallID] = []
    var bytesBefore = 0
    var bytesAfter = 0
    /// False: nothing could be done, and the segment is what it was.
    var isRewritten = false
    /// What was damaged of the file as a whole, and is made anew.
    var mended: String?
    /// Calls that are still there, as their block cannot be read; all calls of that block, and why.
    var stuck: [(calls: [CallID], block: [CallID], offset: Int, why: String)] = []
  }

  /// A part of the old file that goes into the new one.
  private enum Part {
    case block(Int)
    /// Bytes that are no block.
    case stray(Range<Int>)
  }

  /// - Returns: nil if nothing in the segment has to.
  /// - Throws: `BlockError` or `TapeError` `.corrupt` if the segment cannot be written anew without a loss: it then
  ///   stays as it is.
  func rewrite(_ name: String) throws -> Outcome? {
    let reader = try SegmentReader(store: store, name: name)
    let file = reader.file
    let wanted = blocks(of: file, reader.entries)
    guard !wanted.isEmpty else { return nil }
    let mended = try damage(of: reader)
    var outcome = Outcome(bytesBefore: try file.size(), mended: mended)
    let segment = try SegmentWriter(store: store, name: name, level: file.level ?? level, place: reader.place)
    defer { if !outcome.isRewritten { segment.discard() } }
    let plan = try plan(reader, isDamaged: mended != nil)
    for (part, named) in plan {
      switch part {
      case .stray(let range):
        try segment.copy(stray: range, of: file, named)
        let calls = named.filter { erasing.wants($0.id) && !$0.isErased }.map(\.id)
        if !calls.isEmpty { outcome.stuck.append((calls, named.map(\.id), range.lowerBound, "it cannot be found")) }
      case .block(let block):
        try add(block, of: reader, named, wanted.contains(file.blockOffset(block)), mended != nil, to: segment, &outcome)
      }
    }
    guard !outcome.erased.isEmpty || outcome.stuck.isEmpty else { return outcome }
    try segment.finish()
    try segment.readBack()
    try compare(segment.index.entries, with: reader.entries, erased: Set(outcome.erased), in: file)
    outcome.bytesAfter = segment.size
    try store.files.rename(segment.temporaryPath, to: segment.path)
    try store.files.syncDirectory(store.archivePath)
    outcome.isRewritten = true
    return outcome
  }

  /// What is wrong with the file as a whole; nil if nothing is.
  private func damage(of reader: SegmentReader) throws -> String? {
    if let problem = reader.problem { return problem }
    do {
      _ = try reader.file.checkFrames()
      return nil
    } catch let error where error is BlockError || error is ZstdError {
      return "\(error)"
    }
  }

  /// Offsets of the blocks that have to change.
  private func blocks(of file: SegmentFile, _ entries: [SegmentEntry]) -> Set<Int> {
    var offsets: Set<Int> = []
    for entry in entries where erasing.wants(entry.id) && !offsets.contains(entry.blockOffset) {
      // Of a tombstone only its block says whether it kept something.
      if entry.isErased {
        guard erasing.list[entry.id]?.keepsUsage == false, let block = file.block(at: entry.blockOffset),
          case .tombstone(let tombstone)? = try? file.items(inBlock: block, only: entry.id).first, tombstone.kept != nil
        else { continue }
      }
      offsets.insert(entry.blockOffset)
    }
    return offsets
  }

  /// What the new file consists of, in the order of the old one, with the calls that the index names in each part.
  private func plan(_ reader: SegmentReader, isDamaged: Bool) throws -> [(part: Part, named: [SegmentEntry])] {
    let file = reader.file
    var named = Dictionary(grouping: reader.entries, by: \.blockOffset)
    var parts = (0..<file.blockCount).map { block in
      let offset = file.blockOffset(block)
      return (offset: offset, part: Part.block(block), named: named.removeValue(forKey: offset) ?? [])
    }
    for stray in isDamaged ? reader.strays() : [] {
      var here: [SegmentEntry] = []
      for offset in named.keys.filter({ stray.contains($0) }).sorted() {
        here += named.removeValue(forKey: offset) ?? []
      }
      parts.append((stray.lowerBound, .stray(stray), here))
    }
    // Blocks that nothing is left of: the index names their calls, and so does the new one.
    for (offset, calls) in named { parts.append((offset, .stray(offset..<offset), calls)) }
    parts.sort { $0.offset < $1.offset }
    guard parts.flatMap({ $0.named.map(\.id) }) == reader.entries.map(\.id) else {
      throw file.corrupt("its blocks are not in the order of its index")
    }
    return parts.map { ($0.part, $0.named) }
  }

  private func add(
    _ block: Int, of reader: SegmentReader, _ named: [SegmentEntry], _ isWanted: Bool, _ isDamaged: Bool,
    to segment: SegmentWriter, _ outcome: inout Outcome
  ) throws {
    let file = reader.file
    let canCopy = type(of: file.coding).name == BlockCodings.current.name
    let hasLeaves = named.allSatisfy { $0.leafHash != nil }
    if canCopy, !isWanted, hasLeaves, !isDamaged {
      return try segment.copy(block: block, of: file, named, isWhole: true)
    }
    do {
      let items = try reader.soundItems(inBlock: block, named)
      guard isWanted || !canCopy else {
        let entries = zip(named, items).map { entry, hashed in
          var entry = entry
          entry.leaf = MerkleHash(hashed.leafHash)
          return entry
        }
        return try segment.copy(block: block, of: file, entries, isWhole: true)
      }
      for hashed in items {
        if let tombstone = erasing.replacement(for: hashed.item, hashed.leafHash) {
          outcome.erased.append(hashed.item.id)
          try segment.add(.tombstone(tombstone))
        } else {
          try segment.add(hashed.item)
        }
      }
      try segment.closeBlock()
    } catch let error where canCopy && (error is BlockError || error is ZstdError) {
      let calls = named.filter { erasing.wants($0.id) && !$0.isErased }.map(\.id)
      if !calls.isEmpty { outcome.stuck.append((calls, named.map(\.id), file.blockOffset(block), "\(error)")) }
      try segment.copy(block: block, of: file, named, isWhole: false)
    }
  }

  /// The new index names the same calls in the same order with the same leaf hashes, and the erased ones as tombstones.
  private func compare(
    _ new: [SegmentEntry], with old: [SegmentEntry], erased: Set<CallID>, in file: SegmentFile
  ) throws {
    guard new.map(\.id) == old.map(\.id), new.map(\.startedAtNs) == old.map(\.startedAtNs),
      zip(new, old).allSatisfy({ $1.leafHash == nil || $0.leafHash == $1.leafHash }),
      zip(new, old).allSatisfy({ $0.isErased == ($1.isErased || erased.contains($1.id)) })
    else {
      throw TapeError(
        .failed, "\(file.name) would not have the same calls without the erased ones; it is left as it was")
    }
  }
}
