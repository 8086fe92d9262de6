package import Logging
internal import TapeTypes

/// How long and how much an archive keeps (`serve --keep`, `--keep-bytes`). Whole segments are removed, the oldest
/// first; of each its leaf list stays, so that the tree and its checkpoints do. Journals are never touched.
package struct Retention: Sendable, Equatable {
  /// Segments go when all of their calls started longer ago.
  package var keepNs: Int64?
  /// The oldest segments go while all files of the archive have more bytes.
  package var keepBytes: Int?

  package init(keepNs: Int64?, keepBytes: Int?) {
    self.keepNs = keepNs
    self.keepBytes = keepBytes
  }

  /// Removes what is due, unless another process has the store's lock: then it is done the next time.
  ///
  /// - Returns: the segments that were removed.
  @discardableResult
  package func run(on store: Store, clock: any TapeClock = SystemClock(), log: Logger) -> [String] {
    do {
      guard let lock = try store.lock(wait: false) else { return [] }
      defer { lock.release() }
      return try remove(from: store, clock.wallNs(), log)
    } catch let error as FileError {
      log.error("cannot remove old segments: \(error.reason) (\(error.doing)); tried again later")
    } catch {
      log.error("cannot remove old segments, tried again later: \(error)")
    }
    return []
  }

  private struct Segment {
    var name: String
    var bytes: Int
    /// Start of its youngest call.
    var youngestNs: Int64
  }

  private func remove(from store: Store, _ nowNs: Int64, _ log: Logger) throws -> [String] {
    // The tree says where each segment stands, also one that does not say it itself.
    let tree = try ArchiveTree(store: store)
    var removed: [String] = []
    // One that was interrupted behind the leaf list.
    for name in tree.doubled.compactMap({ LeafList.segmentName(of: $0.file) }) {
      try unlink(name, in: store)
      removed.append(name)
    }
    var total = try store.archiveFiles().reduce(0) {
      try $0 + (store.files.status(store.archivePath + "/" + $1)?.bytes ?? 0)
    }
    let segments = try self.segments(store, tree, without: removed).sorted {
      ($0.youngestNs, $0.name) < ($1.youngestNs, $1.name)
    }
    for segment in segments {
      let isOld = keepNs.map { segment.youngestNs < nowNs - $0 } ?? false
      guard isOld || keepBytes.map({ total > $0 }) ?? false else { break }
      guard let part = tree.parts.first(where: { $0.file == segment.name }) else { continue }
      let leaves = try tree.leaves(of: part).map { LeafList.Leaf(id: $0.id, hash: $0.hash) }
      let list = LeafList(
        segment: segment.name, removedAtNs: nowNs, place: TreePlace(firstLeaf: part.first, before: part.before),
        leaves: leaves)
      try list.write(to: store)
      let name = LeafList.fileName(ofSegment: segment.name)
      guard try LeafList(store: store, name: name) == list else {
        throw TapeError(.failed, "\(name) did not come back as it was written; its segment is kept")
      }
      try unlink(segment.name, in: store)
      total -= segment.bytes
      removed.append(segment.name)
      log.notice("removed \(segment.name): \(part.count) calls, \(segment.bytes) bytes; its leaf list stays")
    }
    return removed
  }

  private func unlink(_ name: String, in store: Store) throws(FileError) {
    try store.files.unlink(store.archivePath + "/" + name)
    try store.files.syncDirectory(store.archivePath)
  }

  /// Those that are whole: what is damaged is for people to look at.
  private func segments(_ store: Store, _ tree: ArchiveTree, without removed: [String]) throws -> [Segment] {
    var segments: [Segment] = []
    for part in tree.parts where !part.isLeafList && !removed.contains(part.file) {
      let reader = try SegmentReader(store: store, name: part.file)
      guard reader.problem == nil, let status = try store.files.status(store.archivePath + "/" + part.file) else {
        continue
      }
      let youngest = reader.entries.map(\.startedAtNs).max() ?? .max
      segments.append(Segment(name: part.file, bytes: status.bytes, youngestNs: youngest))
    }
    return segments
  }
}
