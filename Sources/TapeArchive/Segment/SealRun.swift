internal import Logging
internal import TapeTypes

/// One run of the sealer, under the store lock.
struct SealRun {
  let store: Store
  let level: Int
  let log: Logger
  let groupBytes: Int
  /// Calls that become tombstones.
  let erasing: Erasing
  private(set) var report = SealReport()
  private var pending: [Pending] = []
  private var pendingBytes = 0
  /// Journals that were read to their end, and the numbers of their calls that are not sealed.
  private var closed: [Journal] = []
  private var sealedBefore: Set<CallID>?
  /// The store's tree, once it is needed.
  private var tree: GrowingTree?

  private struct Pending {
    var track: CallTrack
    var writer: CallID
    var loader: TrackLoader
  }

  private struct Journal {
    var writer: CallID
    var sequence: Int
    var isDamaged: Bool
    var name: String { JournalFormat.fileName(writer: writer, sequence: sequence) }
  }

  /// Calls that stay in journals, by writer: they are live, or they could not be read.
  private var kept: [CallID: Set<Int>] = [:]

  /// Calls that are tombstones already.
  private var buried: Set<CallID> = []
  /// Writers of erased calls: their journals may have to stay for others.
  private var erasedWriters: Set<CallID> = []

  init(store: Store, level: Int, log: Logger, groupBytes: Int, erasing: Erasing) {
    self.erasing = erasing
    self.store = store
    self.level = level
    self.log = log
    self.groupBytes = groupBytes
  }

  // MARK: Journals

  /// Takes in a writer's closed journals.
  mutating func scan(_ writer: CallID, _ sequences: [Int]) throws {
    guard let last = sequences.last else { return }
    let isAlive = try JournalListing.isAlive(writer, last: last, store: store)
    let scan = WriterScan(store: store, writer: writer)
    let loader = TrackLoader(store: store, writer: writer)
    let ends = try JournalEnds(store: store, writer: writer, sequences: sequences)
    for sequence in sequences where !(isAlive && sequence == last) {
      let bytes = try scan.read(
        sequence: sequence, hasPrevious: sequences.contains(sequence - 1), isFinal: true, end: ends[sequence])
      if scan.refused.contains(sequence) { continue }
      let name = JournalFormat.fileName(writer: writer, sequence: sequence)
      closed.append(
        Journal(writer: writer, sequence: sequence, isDamaged: scan.damage.contains { $0.file == name }))
      take(scan.takeReady(), writer, loader)
      pendingBytes += bytes
      if pendingBytes >= groupBytes { try sealPending() }
    }
    // A journal that cannot be read may hold the ends of calls that have none here.
    if !isAlive, scan.refused.isEmpty {
      try scan.finish()
      report.lostCalls += scan.lost.sorted()
      take(scan.takeReady(), writer, loader)
    }
    // Without holes: a reader follows a call from journal to journal.
    kept[writer, default: []].formUnion(
      scan.openTracks.flatMap { ($0.records.first?.sequence ?? $0.sequence)...$0.sequence })
    report.damage += scan.damage
    for tail in scan.torn { try setAside(tail) }
  }

  private mutating func take(_ tracks: [CallTrack], _ writer: CallID, _ loader: TrackLoader) {
    pending += tracks.map { Pending(track: $0, writer: writer, loader: loader) }
  }

  /// A torn tail is kept in a file of its own, and cut off.
  private mutating func setAside(_ tail: (file: String, offset: Int, bytes: Int)) throws {
    let path = store.archivePath + "/" + tail.file
    let journal = try store.files.open(path, .readWrite)
    defer { store.files.close(journal) }
    let aside = try store.files.open(path + ".torn", .readWrite)
    defer { store.files.close(aside) }
    try store.files.truncate(aside, to: 0)
    for start in stride(from: tail.offset, to: tail.offset + tail.bytes, by: 1 << 20) {
      let end = min(tail.offset + tail.bytes, start + 1 << 20)
      try store.files.writeAll(aside, try store.files.read(journal, start..<end))
    }
    try store.files.sync(aside)
    try store.files.syncDirectory(store.archivePath)
    try store.files.truncate(journal, to: tail.offset)
    report.torn.append(tail.file + ".torn")
    log.notice("the last \(tail.bytes) bytes of \(tail.file) were no whole record; they are in \(tail.file).torn")
  }

  // MARK: Segments

  /// Seals what is left and removes the journals that are not needed any more.
  mutating func finish() throws {
    try sealPending()
    // Also where a seal that was interrupted left segments and no checkpoint of them.
    if !closed.isEmpty { try growTree().writeCheckpoint() }
    for journal in closed where kept[journal.writer]?.contains(journal.sequence) != true {
      let path = store.archivePath + "/" + journal.name
      if journal.isDamaged {
        try store.files.rename(path, to: path + ".damaged")
        log.error(
          "\(journal.name) was damaged; what could be read of it is sealed, and it is kept as \(journal.name).damaged")
      } else {
        try store.files.unlink(path)
        report.deletedJournals.append(journal.name)
      }
      // One after the other: a journal that is gone while one before it is still there would look like a loss.
      try store.files.syncDirectory(store.archivePath)
    }
    try voidErased()
  }

  /// Of calls that were erased nothing stays in a journal that is kept for others.
  private func voidErased() throws {
    for journal in closed where kept[journal.writer]?.contains(journal.sequence) == true {
      guard erasedWriters.contains(journal.writer) else { continue }
      let voided = try JournalErasure(store: store).void(
        buried, in: journal.name, writer: journal.writer, sequence: journal.sequence)
      if voided > 0 { log.notice("\(journal.name) was written again without erased calls") }
    }
  }

  private mutating func sealPending() throws {
    let sealed = try alreadySealed()
    for item in pending where !fits(item.track) {
      kept[item.writer, default: []].formUnion(item.track.records.map(\.sequence))
      log.error("call \(item.track.id) is larger than a segment takes; it stays in its journal")
    }
    for item in pending where erasing.mustWait(item.track.id) {
      kept[item.writer, default: []].formUnion(item.track.records.map(\.sequence))
    }
    for item in pending where erasing.wants(item.track.id) || buried.contains(item.track.id) {
      erasedWriters.insert(item.writer)
    }
    let calls = pending.filter {
      !sealed.contains($0.track.id) && fits($0.track) && !erasing.mustWait($0.track.id)
    }.sorted { ($0.track.startedAtNs, $0.track.id) < ($1.track.startedAtNs, $1.track.id) }
    pending = []
    pendingBytes = 0
    var start = 0
    while start < calls.count {
      var end = start
      var bytes = 0
      while end < calls.count, bytes < SegmentFormat.bytesPerSegment {
        bytes += calls[end].track.requestBytes + calls[end].track.bytes
        end += 1
      }
      try write(calls[start..<end])
      start = end
    }
  }

  private func fits(_ track: CallTrack) -> Bool {
    if erasing.wants(track.id) { return true }
    return track.requestBytes + track.bytes <= SegmentFormat.largestFrame / 2
      && SegmentFormat.allows(frames: track.frames, bytes: track.bytes)
  }

  private mutating func write(_ calls: ArraySlice<Pending>) throws {
    guard let first = calls.first else { return }
    let last = calls.last { $0.writer == first.writer } ?? first
    // Numbers of one writer mostly rise with the start, not always.
    let name = SegmentFormat.fileName(
      writer: first.writer, first: first.track.number, last: max(first.track.number, last.track.number))
    let segment = try SegmentWriter(store: store, name: name, level: level, place: try growTree().next)
    for item in calls {
      // What is loaded here and there is what was read in one go before, or nothing is sealed.
      guard let call = try item.loader.load(item.track), call.raw.count == item.track.bytes else {
        throw BlockError("call \(item.track.id) cannot be read any more")
      }
      guard erasing.wants(call.open.id) else {
        try segment.add(.call(call))
        continue
      }
      try segment.add(.tombstone(erasing.tombstone(of: call, leafHash: leafHash(of: call))))
      buried.insert(call.open.id)
      report.erasedCalls.append(call.open.id)
    }
    try segment.finish()
    try segment.readBack(orElse: "its journal is kept")
    try store.files.rename(segment.temporaryPath, to: segment.path)
    try store.files.syncDirectory(store.archivePath)
    tree?.append(segment.leaves)
    report.segments.append(name)
    report.sealedCalls += segment.calls
    report.rawBytes += segment.rawBytes
    report.segmentBytes += segment.size
    for item in calls { sealedBefore?.insert(item.track.id) }
  }

  /// The store's tree as it is by now.
  private mutating func growTree() throws -> GrowingTree {
    if let tree { return tree }
    let growing = try GrowingTree(store: store)
    for damage in growing.damage { log.error("\(damage)") }
    report.damage += growing.damage
    tree = growing
    return growing
  }

  /// Ids that are in segments already: a seal may have ended before it removed its journals, or a journal was kept
  /// because of a call that had not ended. Only segments younger than the oldest journal can hold such calls, and leaf
  /// lists of segments that were removed since.
  private mutating func alreadySealed() throws -> Set<CallID> {
    if let known = sealedBefore { return known }
    var oldest = Int64.max
    for journal in closed { oldest = min(oldest, Int64(clamping: journal.writer.milliseconds) * 1_000_000) }
    // A day's grace for clocks that were set.
    oldest -= 86_400 * 1_000_000_000
    var sealed: Set<CallID> = []
    for name in try store.archiveFiles() {
      let isLeafList = LeafList.segmentName(of: name) != nil
      guard isLeafList || SegmentFormat.parse(fileName: name) != nil,
        let status = try store.files.status(store.archivePath + "/" + name), status.modifiedNs >= oldest
      else { continue }
      do {
        if isLeafList {
          for leaf in try LeafList(store: store, name: name).leaves {
            sealed.insert(leaf.id)
            // Retention took its segment; what is left of it in a journal goes as that of a tombstone does.
            if erasing.wants(leaf.id) { buried.insert(leaf.id) }
          }
          continue
        }
        let segment = try SegmentReader(store: store, name: name)
        for entry in segment.entries {
          sealed.insert(entry.id)
          if entry.isErased { buried.insert(entry.id) }
        }
        if let problem = segment.problem {
          report.damage.append(Damage(file: name, offset: 0, calls: [], message: problem))
        }
      } catch let error as TapeError where error.code == .corrupt || error.code == .newerVersion {
        report.damage.append(Damage(file: name, offset: 0, calls: [], message: error.description))
      }
    }
    sealedBefore = sealed
    return sealed
  }
}
