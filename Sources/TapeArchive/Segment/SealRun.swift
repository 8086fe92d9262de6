internal import Logging
internal import TapeTypes

/// One run of the sealer, under the store lock.
struct SealRun {
  let store: Store
  let level: Int
  let log: Logger
  /// Calls that become tombstones.
  let erasing: Erasing
  /// What is not sealed yet is to stay where it is.
  let shouldStop: @Sendable () -> Bool
  var report = SealReport()
  private var pending: [Pending] = []
  private var pendingBytes = 0
  /// Journals that were read to their end, and the numbers of their calls that are not sealed.
  private var closed: [Journal] = []
  /// Calls that other segments name, and where these were found.
  private var assumed: [(calls: [Pending], sealed: SealedCalls)] = []
  /// The store's tree, once it is needed.
  var tree: GrowingTree?
  /// Segments that had to be written in parts, as some call did not come back.
  var failures = 0
  /// Calls whose recorder counted another hash than that of what is on tape.
  var distrusted: Set<CallID> = []

  /// Calls are sealed when there are enough for a segment. What is known of each takes memory, however small it is.
  private static let mostPending = 16_384

  struct Pending {
    var track: CallTrack
    var writer: CallID

    var bytes: Int { track.requestBytes + track.bytes }
  }

  private struct Journal {
    var writer: CallID
    var sequence: Int
    var isDamaged: Bool
    var name: String { JournalFormat.fileName(writer: writer, sequence: sequence) }
  }

  /// The journals that are needed on, by writer: of calls that are live, or could not be sealed.
  private var kept: [CallID: Set<Int>] = [:]
  /// The last journal of writers that have one which is not closed, or not read.
  private var newest: [CallID: Int] = [:]

  /// Calls that are tombstones already.
  var buried: Set<CallID> = []
  /// Writers of erased calls: their journals may have to stay for others.
  private var erasedWriters: Set<CallID> = []

  init(
    store: Store, level: Int, log: Logger, erasing: Erasing, shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.erasing = erasing
    self.shouldStop = shouldStop
    self.store = store
    self.level = level
    self.log = log
  }

  // MARK: Journals

  /// Takes in a writer's closed journals.
  mutating func scan(_ writer: CallID, _ sequences: [Int]) throws {
    guard let last = sequences.last else { return }
    let isAlive = try JournalListing.isAlive(writer, last: last, store: store)
    let scan = WriterScan(store: store, writer: writer)
    let ends = try JournalEnds(store: store, writer: writer, sequences: sequences)
    var isRead = true
    for sequence in sequences where !(isAlive && sequence == last) {
      if shouldStop() {
        (isRead, report.wasStopped) = (false, true)
        break
      }
      try scan.read(
        sequence: sequence, hasPrevious: sequences.contains(sequence - 1), isFinal: true, end: ends[sequence])
      if scan.refused.contains(sequence) { continue }
      let name = JournalFormat.fileName(writer: writer, sequence: sequence)
      try sync(name)
      closed.append(
        Journal(writer: writer, sequence: sequence, isDamaged: scan.damage.contains { $0.file == name }))
      take(scan.takeReady(), writer)
      if pendingBytes >= SegmentFormat.bytesPerSegment || pending.count >= Self.mostPending { try sealPending() }
    }
    // A journal that was not read may hold the ends of calls that have none here.
    if isRead, !isAlive, scan.refused.isEmpty {
      try scan.finish()
      report.lostCalls += scan.lost.sorted()
      take(scan.takeReady(), writer)
    }
    kept[writer, default: []].formUnion(
      scan.openTracks.flatMap { [$0.records.sequences.first ?? $0.sequence, $0.sequence] })
    newest[writer] = !isRead || isAlive || !scan.refused.isEmpty ? last : nil
    report.damage += scan.damage
    for tail in scan.torn { try setAside(tail) }
  }

  /// Its recorder may have died before it synced: a loss of power must not leave less of a call in the journal than is
  /// sealed of it, as then the two would be different calls of one id.
  private func sync(_ journal: String) throws(FileError) {
    let descriptor = try store.files.open(store.archivePath + "/" + journal, .read)
    defer { store.files.close(descriptor) }
    try store.files.sync(descriptor)
  }

  private mutating func take(_ tracks: [CallTrack], _ writer: CallID) {
    pending += tracks.map { Pending(track: $0, writer: writer) }
    pendingBytes += tracks.reduce(0) { $0 + $1.requestBytes + $1.bytes }
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
    try confirm()
    // Also where a seal that was interrupted left segments and no checkpoint of them.
    if !closed.isEmpty, tree != nil || !report.wasStopped { try growTree().writeCheckpoint() }
    for journal in closed where !isKept(journal) {
      let path = store.archivePath + "/" + journal.name
      if journal.isDamaged {
        guard try !store.hasArchiveFile(journal.name + ".damaged") else {
          log.error("\(journal.name) is damaged and stays, as there is a \(journal.name).damaged already")
          continue
        }
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
    for journal in closed where isKept(journal) {
      guard erasedWriters.contains(journal.writer) else { continue }
      let voided = try JournalErasure(store: store).void(
        buried, in: journal.name, writer: journal.writer, sequence: journal.sequence)
      if voided > 0 { log.notice("\(journal.name) was written again without erased calls") }
    }
  }

  /// Without holes, from the first one that is needed to the last one that stays: a reader follows calls from journal to
  /// journal, and one that is missing between others counts as lost.
  private func isKept(_ journal: Journal) -> Bool {
    guard let needed = kept[journal.writer], let first = needed.min(), let last = needed.max() else { return false }
    return (first...max(last, newest[journal.writer] ?? last)).contains(journal.sequence)
  }

  /// Before a journal goes, those of its calls that were sealed by others are read where they should be: what a segment
  /// names and does not give is sealed again.
  private mutating func confirm() throws {
    let going = Set(closed.filter { !isKept($0) }.map(\.name))
    for (calls, sealed) in assumed {
      guard !shouldStop() else {
        leave(calls)
        continue
      }
      let needed = calls.filter { item in
        sealed.isSettled(item.track.id)
          || item.track.records.sequences.contains {
            going.contains(JournalFormat.fileName(writer: item.writer, sequence: $0))
          }
      }
      guard !needed.isEmpty else { continue }
      let contents = try sealed.contents(of: Set(needed.map(\.track.id)))
      var missing: [Pending] = []
      for item in needed {
        switch contents[item.track.id] {
        case .settled(let leaves):
          // Whoever makes a tombstone of a call that was never erased does not make the call go.
          guard try isOne(of: leaves, item), sealed.erased.contains(item.track.id) || erasing.wants(item.track.id)
          else { continue }
          buried.insert(item.track.id)
          erasedWriters.insert(item.writer)
        case .calls(let leaves): _ = try isOne(of: leaves, item)
        case nil:
          let file = sealed.files[item.track.id]?.first ?? "its segment"
          log.error("call \(item.track.id) cannot be read from \(file), and is sealed again")
          missing.append(item)
        }
      }
      try write(missing)
    }
    assumed = []
  }

  /// A call stays in its journal if what a segment has under its id is another.
  private mutating func isOne(of leaves: Set<[UInt8]>, _ item: Pending) throws -> Bool {
    do {
      for call in try load([item]) where leaves.contains(leafHash(of: call)) { return true }
      keep(item, "a segment has another of its id")
    } catch let error as UnsealableCalls {
      keep(item, error.description)
    }
    return false
  }

  private mutating func sealPending() throws {
    defer { (pending, pendingBytes) = ([], 0) }
    guard !shouldStop() else { return leave(pending) }
    let sealed = try alreadySealed()
    for item in pending where !fits(item.track) && sealed.files[item.track.id] == nil {
      keep(item, "it is larger than a segment takes")
    }
    for item in pending where erasing.mustWait(item.track.id) { keepJournals(of: item) }
    for item in pending where erasing.wants(item.track.id) || buried.contains(item.track.id) {
      erasedWriters.insert(item.writer)
    }
    let others = pending.filter { sealed.files[$0.track.id] != nil }
    if !others.isEmpty { assumed.append((others, sealed)) }
    let calls = pending.filter {
      sealed.files[$0.track.id] == nil && fits($0.track) && !erasing.mustWait($0.track.id)
    }
    try write(calls)
  }

  private mutating func alreadySealed() throws -> SealedCalls {
    let sealed = try SealedCalls(pending.map(\.track.id), in: store)
    report.damage += sealed.damage.filter { !report.damage.contains($0) }
    return sealed
  }

  /// What is not sealed stays in its journals, and is for the next seal.
  mutating func leave(_ calls: [Pending]) {
    report.wasStopped = true
    for item in calls { keepJournals(of: item) }
  }

  private mutating func keepJournals(of item: Pending) {
    kept[item.writer, default: []].formUnion(item.track.records.sequences)
  }

  /// A call that cannot be sealed stays in its journals, and is reported.
  mutating func keep(_ item: Pending, _ reason: String) {
    keepJournals(of: item)
    let journal = JournalFormat.fileName(writer: item.writer, sequence: item.track.sequence)
    let message = "call \(item.track.id) cannot be sealed and stays in its journal: \(reason)"
    report.unsealed.append(
      Damage(file: journal, offset: item.track.location.offset, calls: [item.track.id], message: message))
  }

  func fits(_ track: CallTrack) -> Bool {
    if erasing.wants(track.id) { return true }
    return track.requestBytes + track.bytes <= SegmentFormat.largestFrame / 2
      && SegmentFormat.allows(frames: track.frames, bytes: track.bytes)
      && track.bytes + 16 * track.frames <= SegmentFormat.largestBlock
  }
}
