package import TapeTypes

/// One sealed file. Keeps it open while it lives.
package struct SegmentReader {
  let file: SegmentFile
  /// The calls in the order of the file, which is that of their start.
  package let entries: [SegmentEntry]
  /// The place of its first entry in the store's tree; nil if it does not say, or its index cannot be read.
  package let place: TreePlace?

  /// What is wrong with seek table or index: then the blocks were looked for, and what they hold is all there is.
  package let problem: String?
  private let hasIndex: Bool

  package var name: String { file.name }

  /// Opens the segment and reads its index; without one, the heads of its blocks.
  ///
  /// - Throws: `TapeError` `.notFound`, `.newerVersion`, `.corrupt`, `.io`.
  package init(store: Store, name: String) throws {
    file = try SegmentFile(store: store, name: name)
    do {
      let index = try file.index()
      entries = file.problem == nil ? index.entries : file.placed(index.entries)
      place = index.place
      problem = file.problem
      hasIndex = true
    } catch let error as FileError {
      throw file.wrapped(error)
    } catch {
      entries = file.entriesOfHeads()
      place = nil
      problem = [file.problem, "its index: \(error)"].compactMap { $0 }.joined(separator: "; ")
      hasIndex = false
    }
  }

  /// Every call, in start order, with its leaf hash.
  ///
  /// - Throws: `TapeError` `.corrupt` at the first block that cannot be read, and what `body` throws.
  package func forEachCall(_ body: (RecordedCall, CallLocation, _ leafHash: [UInt8]) throws -> Void) throws {
    try forEachItem { item, location, leaf in
      if let call = item.call { try body(call, location, leaf) }
    }
  }

  /// The same; damage goes to `onDamage`, and reading goes on behind it.
  package func forEachCall(
    onDamage: (Damage) -> Void, _ body: (RecordedCall, CallLocation, _ leafHash: [UInt8]) throws -> Void
  ) throws {
    try forEachItem(onDamage: onDamage) { item, location, leaf in
      if let call = item.call { try body(call, location, leaf) }
    }
  }

  /// Every call and every tombstone, in the order of the store's tree, with its leaf hash: that of a call is computed
  /// from what was read, and compared with what the index says.
  ///
  /// - Throws: `TapeError` `.corrupt` or `.io` at the first block that cannot be read, and what `body` throws.
  package func forEachItem(_ body: (SegmentItem, CallLocation, _ leafHash: [UInt8]) throws -> Void) throws {
    try forEachItem(onDamage: { throw $0.isUnreadable ? file.unreadable("\($0)") : file.corrupt("\($0)") }, body)
  }

  /// The same; damage goes to `onDamage`, and reading goes on behind it.
  package func forEachItem(
    onDamage: (Damage) throws -> Void, _ body: (SegmentItem, CallLocation, _ leafHash: [UInt8]) throws -> Void
  ) throws {
    try forEachBlock(onDamage: onDamage) { block, location, expected in
      try forEachItem(inBlock: block, location, expected, onDamage: onDamage, body)
    }
  }

  /// Each block with what the index names in it; damage of the file as a whole goes to `onDamage`.
  func forEachBlock(
    onDamage: (Damage) throws -> Void, _ body: (_ block: Int, CallLocation, [SegmentEntry]) throws -> Void
  ) throws {
    if let problem { try onDamage(Damage(file: file.name, offset: 0, calls: [], message: problem)) }
    var named = Dictionary(grouping: entries, by: \.blockOffset)
    for block in 0..<file.blockCount {
      let location = CallLocation(file: file.name, offset: file.blockOffset(block))
      try body(block, location, named.removeValue(forKey: location.offset) ?? [])
    }
    for (offset, missing) in named.sorted(by: { $0.key < $1.key }) {
      let damage = Damage(
        file: file.name, offset: offset, calls: missing.map(\.id), message: "its index names calls that are not there")
      try onDamage(damage)
    }
  }

  func forEachItem(
    inBlock block: Int, _ location: CallLocation, _ expected: [SegmentEntry], onDamage: (Damage) throws -> Void,
    _ body: (SegmentItem, CallLocation, _ leafHash: [UInt8]) throws -> Void
  ) throws {
    let items: [HashedItem]
    do {
      items = try file.hashedItems(inBlock: block)
      guard fits(items.map(\.item), expected) else { throw BlockError("its index does not fit its calls") }
    } catch {
      return try onDamage(
        Damage(file: file.name, offset: location.offset, calls: expected.map(\.id), error: error))
    }
    for (hashed, entry) in zip(items, expected) {
      let (item, leaf) = (hashed.item, hashed.leafHash)
      guard entry.leafHash == nil || entry.leafHash == leaf else {
        let what = "the call is not the one whose leaf hash is in the index"
        try onDamage(Damage(file: file.name, offset: location.offset, calls: [item.id], message: what))
        continue
      }
      try body(item, location, leaf)
    }
  }

  /// All items of a block, each of which is what its entry says, leaf hash included.
  ///
  /// - Throws: `BlockError`, `ZstdError`, `FileError`.
  func soundItems(inBlock block: Int, _ expected: [SegmentEntry]) throws -> [HashedItem] {
    let items = try file.hashedItems(inBlock: block)
    guard fits(items.map(\.item), expected) else { throw BlockError("its index does not fit its calls") }
    for (hashed, entry) in zip(items, expected) where entry.leafHash != nil && entry.leafHash != hashed.leafHash {
      throw BlockError("call \(entry.id) is not the one whose leaf hash is in the index")
    }
    return items
  }

  /// The same, without handing them out.
  func checkItems(inBlock block: Int, _ expected: [SegmentEntry]) throws {
    var rest = expected[...]
    try file.forEachItem(inBlock: block) { hashed in
      guard let entry = rest.popFirst(), fits([hashed.item], [entry]) else {
        throw BlockError("its index does not fit its calls")
      }
      guard entry.leafHash == nil || entry.leafHash == hashed.leafHash else {
        throw BlockError("call \(entry.id) is not the one whose leaf hash is in the index")
      }
    }
    guard rest.isEmpty else { throw BlockError("its index does not fit its calls") }
  }

  /// Compares every frame with its checksum, from now on and at once those that belong to no block.
  ///
  /// - Returns: false if the file has no checksums.
  /// - Throws: `TapeError` `.corrupt` at the first byte that is not what was written; `.io`.
  func checkFrames() throws -> Bool {
    do { return try file.checkFrames() } catch { throw file.wrapped(error) }
  }

  /// One call or tombstone, by decoding one block; the index and the leaf hash in it have to fit.
  ///
  /// - Throws: `TapeError` `.corrupt`, `.io`.
  func item(_ entry: SegmentEntry) throws -> SegmentItem {
    do {
      guard let block = file.block(at: entry.blockOffset),
        let item = try file.items(inBlock: block, only: entry.id).first,
        fits([item], [entry])
      else { throw BlockError("its index does not fit its calls") }
      guard entry.leafHash == nil || entry.leafHash == item.leafHash else {
        throw BlockError("call \(entry.id) is not the one whose leaf hash is in the index")
      }
      return item
    } catch {
      throw file.wrapped(error)
    }
  }

  /// Bytes of the file.
  func size() throws -> Int { try file.size() }

  /// Of a damaged file the bytes that belong to no block that can be found, and may be all that is left of one: not the
  /// explaining text, the index, the checksums and the seek table, as far as it can tell them from a block.
  func strays() -> [Range<Int>] {
    let index = file.frames.last?.range ?? 0..<0
    var strays = file.strays.filter { !hasIndex || $0.lowerBound < index.lowerBound }
    if let first = strays.first, first.lowerBound == 0 {
      let named = entries.lazy.map(\.blockOffset).filter { $0 > 0 && first.contains($0) }.min()
      if let named {
        strays[0] = named..<first.upperBound
      } else if hasIndex || first.count <= SegmentFormat.longestStart {
        strays.removeFirst()
      }
    }
    guard !hasIndex, !index.isEmpty else { return strays }
    // Where every block can be read, a damaged index says nothing that they do not.
    let isSpare = strays.isEmpty && (0..<file.blockCount).allSatisfy { (try? file.hashedItems(inBlock: $0)) != nil }
    return isSpare ? [] : strays + [index]
  }

  private func fits(_ items: [SegmentItem], _ expected: [SegmentEntry]) -> Bool {
    items.count == expected.count
      && zip(items, expected).allSatisfy {
        $0.id == $1.id && $0.startedAtNs == $1.startedAtNs && ($0.call == nil) == $1.isErased
          && ($0.call?.frameCount ?? 0) == $1.frames && ($0.call?.raw.count ?? 0) == $1.bytes
      }
  }

  /// One call, by decoding one block.
  ///
  /// - Parameter offset: where its block starts.
  /// - Throws: `TapeError` `.notFound`, `.corrupt`.
  package func call(at offset: Int, id: CallID) throws -> RecordedCall { try file.call(at: offset, id: id) }
}

extension SegmentFile {
  /// One call, by decoding one block; the index is not needed.
  func call(at offset: Int, id: CallID) throws -> RecordedCall {
    guard let block = block(at: offset) else {
      throw TapeError(.notFound, "the segment \(name) has no block at byte \(offset)")
    }
    do {
      guard let item = try items(inBlock: block, only: id).first else {
        throw TapeError(.notFound, "the block at byte \(offset) of the segment \(name) has no call \(id)")
      }
      switch item {
      case .call(let call): return call
      case .tombstone(let tombstone): throw tombstone.error
      }
    } catch let error as BlockError {
      throw corrupt("\(error), in the block at byte \(offset), when reading call \(id)")
    } catch {
      throw wrapped(error)
    }
  }
}

extension SegmentReader {
  /// The tombstones, by decoding the blocks that the index says have some. Blocks that cannot be read go to `onDamage`.
  package func tombstones(onDamage: (Damage) -> Void) -> [Tombstone] {
    var offsets: [Int] = []
    for entry in entries where entry.isErased && offsets.last != entry.blockOffset { offsets.append(entry.blockOffset) }
    return offsets.flatMap { offset -> [Tombstone] in
      var items: [SegmentItem] = []
      do {
        if let block = file.block(at: offset) { items = try file.items(inBlock: block) }
      } catch {
        let calls = entries.filter { $0.isErased && $0.blockOffset == offset }.map(\.id)
        onDamage(Damage(file: name, offset: offset, calls: calls, error: error))
      }
      return items.compactMap { item in
        if case .tombstone(let tombstone) = item { tombstone } else { nil }
      }
    }
  }
}
