internal import TapeArchive
internal import TapeCatalogue
internal import TapeJSON
internal import TapeTypes

/// Segments that were written anew, by an erasure or to be smaller.
extension IndexSession {
  /// Takes in what changed in a segment that was indexed before: where its calls lie now, and which of them are gone.
  /// Blocks are read only for calls that are not known as they are.
  func refreshSegment(_ file: SourceFile) throws {
    let reader: SegmentReader
    do { reader = try SegmentReader(store: store, name: file.name) } catch let error as TapeError
      where error.isDamage || error.code == .io
    {
      return try indexSegment(file)
    }
    guard reader.problem == nil, try writer.transaction({ try knows(reader.entries, of: file.name, in: $0) }) else {
      return try indexSegment(file)
    }
    var isUnreadable = false
    let tombstones = reader.tombstones { isUnreadable = isUnreadable || $0.isUnreadable }
    guard !isUnreadable else { return try indexSegment(file) }
    try writer.transaction { transaction in
      for entry in reader.entries where !entry.isErased {
        guard let known = try transaction.known(entry.id), known.offset != entry.blockOffset else { continue }
        try transaction.move(known, file: file.name, offset: entry.blockOffset)
        report.movedCalls += 1
      }
      for tombstone in tombstones { try bury(tombstone, in: file.name, transaction) }
      try transaction.setSource(file.name, kind: "segment", bytes: file.bytes, modifiedNs: file.modifiedNs ?? 0)
    }
    note(file)
    report.segments += 1
  }

  private func knows(
    _ entries: [SegmentEntry], of file: String, in transaction: CatalogueTransaction
  ) throws -> Bool {
    try entries.allSatisfy { entry in
      if entry.isErased { return true }
      guard let leaf = entry.leafHash, let known = try transaction.known(entry.id) else { return false }
      return known.file == file && known.leafHash == Hex.string(leaf)
    }
  }

  /// The call is erased: nothing of it stays but what was kept of its usage.
  func bury(_ tombstone: Tombstone, in file: String, _ transaction: CatalogueTransaction) throws {
    forget(tombstone.id)
    hasErased = true
    let kept = tombstone.kept.flatMap { try? JSONValue(parsing: $0) }.map { json in
      var row = CallRow(keptUsage: json, startedNs: tombstone.startedAtNs, erasedNs: tombstone.erasedAtNs)
      row.archiveFile = file
      row.leafHash = Hex.string(tombstone.leafHash)
      return row
    }
    let wasThere = try transaction.bury(
      tombstone.id, startedNs: tombstone.startedAtNs, erasedNs: tombstone.erasedAtNs, file: file, kept: kept)
    if wasThere { report.erasedCalls += 1 }
  }
}
