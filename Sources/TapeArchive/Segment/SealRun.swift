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
  /// Calls that other segments name, and where these were found.
  private var assumed: [(calls: [Pending], sealed: SealedCalls)] = []
  /// The store's tree, once it is needed.
  private var tree: GrowingTree?
  /// Segments that had to be written in parts, as some call did not come back.
  private var failures = 0
  private static let mostFailures = 100

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

  /// The journals that are needed on, by writer: of calls that are live, or could not be sealed.
  private var kept: [CallID: Set<Int>] = [:]
  /// The last journal of writers that have one which is not closed, or not read.
  private var newest: [CallID: Int] = [:]

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
      try sync(name)
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
    kept[writer, default: []].formUnion(
      scan.openTracks.flatMap { [$0.records.first?.sequence ?? $0.sequence, $0.sequence] })
    newest[writer] = isAlive || !scan.refused.isEmpty ? last : nil
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
    try confirm()
    // Also where a seal that was interrupted left segments and no checkpoint of them.
    if !closed.isEmpty { try growTree().writeCheckpoint() }
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
      let needed = calls.filter { item in
        sealed.isSettled(item.track.id)
          || item.track.records.contains {
            going.contains(JournalFormat.fileName(writer: item.writer, sequence: $0.sequence))
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
      if leaves.contains(try leafHash(of: load(item))) { return true }
      keep(item, "a segment has another of its id")
    } catch let error as UnsealableCalls {
      keep(item, error.description)
    }
    return false
  }

  private mutating func sealPending() throws {
    let sealed = try alreadySealed()
    for item in pending where !fits(item.track) && sealed.files[item.track.id] == nil {
      keep(item, "it is larger than a segment takes")
    }
    for item in pending where erasing.mustWait(item.track.id) {
      kept[item.writer, default: []].formUnion(item.track.records.map(\.sequence))
    }
    for item in pending where erasing.wants(item.track.id) || buried.contains(item.track.id) {
      erasedWriters.insert(item.writer)
    }
    let others = pending.filter { sealed.files[$0.track.id] != nil }
    if !others.isEmpty { assumed.append((others, sealed)) }
    let calls = pending.filter {
      sealed.files[$0.track.id] == nil && fits($0.track) && !erasing.mustWait($0.track.id)
    }
    pending = []
    pendingBytes = 0
    try write(calls)
  }

  private mutating func alreadySealed() throws -> SealedCalls {
    let sealed = try SealedCalls(pending.map(\.track.id), in: store)
    report.damage += sealed.damage.filter { !report.damage.contains($0) }
    return sealed
  }

  /// Writes calls into as many segments as they need, in the order of their start.
  private mutating func write(_ calls: [Pending]) throws {
    let calls = calls.sorted { ($0.track.startedAtNs, $0.track.id) < ($1.track.startedAtNs, $1.track.id) }
    var start = 0
    while start < calls.count {
      var end = start
      var bytes = 0
      while end < calls.count, bytes < SegmentFormat.bytesPerSegment {
        bytes += calls[end].track.requestBytes + calls[end].track.bytes
        end += 1
      }
      try writeParted(Array(calls[start..<end]))
      start = end
    }
  }

  /// Writes a segment of these calls. One that does not come back as it was must not keep others from being sealed:
  /// they are parted until it stands alone.
  private mutating func writeParted(_ calls: [Pending]) throws {
    guard let first = calls.first else { return }
    do {
      try writeSegment(calls)
    } catch let error as UnsealableCalls {
      guard calls.count > 1 else { return keep(first, error.description) }
      failures += 1
      // Then it is not the calls.
      guard failures < Self.mostFailures else { throw error }
      let suspects = calls.filter { error.ids.contains($0.track.id) }
      if suspects.isEmpty || suspects.count == calls.count {
        try writeParted(Array(calls[..<(calls.count / 2)]))
        try writeParted(Array(calls[(calls.count / 2)...]))
      } else {
        try writeParted(calls.filter { !error.ids.contains($0.track.id) })
        try writeParted(suspects)
      }
    }
  }

  private func fits(_ track: CallTrack) -> Bool {
    if erasing.wants(track.id) { return true }
    return track.requestBytes + track.bytes <= SegmentFormat.largestFrame / 2
      && SegmentFormat.allows(frames: track.frames, bytes: track.bytes)
      && track.bytes + 16 * track.frames <= SegmentFormat.largestBlock
  }

  /// A call that cannot be sealed stays in its journals, and is reported.
  private mutating func keep(_ item: Pending, _ reason: String) {
    kept[item.writer, default: []].formUnion(item.track.records.map(\.sequence))
    let journal = JournalFormat.fileName(writer: item.writer, sequence: item.track.sequence)
    let message = "call \(item.track.id) cannot be sealed and stays in its journal: \(reason)"
    report.unsealed.append(
      Damage(file: journal, offset: item.track.location.offset, calls: [item.track.id], message: message))
  }

  private mutating func writeSegment(_ calls: [Pending]) throws {
    guard let first = calls.first else { return }
    let last = calls.last { $0.writer == first.writer } ?? first
    let name = try freeName(first.writer, first: first.track.number, last: last.track.number)
    let segment = try SegmentWriter(store: store, name: name, level: level, place: try growTree().next)
    var erased: [CallID] = []
    do {
      for item in calls {
        let call = try load(item)
        guard erasing.wants(call.open.id) else {
          try segment.add(.call(call))
          continue
        }
        try segment.add(.tombstone(erasing.tombstone(of: call, leafHash: leafHash(of: call))))
        erased.append(call.open.id)
      }
      try segment.finish()
      try segment.readBack()
    } catch let error where error is BlockError || error is ZstdError {
      segment.discard()
      throw UnsealableCalls(segment.blockCalls, "\(error)")
    } catch let error as UnsealableCalls {
      segment.discard()
      throw error
    }
    try store.files.rename(segment.temporaryPath, to: segment.path)
    try store.files.syncDirectory(store.archivePath)
    buried.formUnion(erased)
    report.erasedCalls += erased
    tree?.append(segment.leaves)
    report.segments.append(name)
    report.sealedCalls += segment.calls
    report.rawBytes += segment.rawBytes
    report.segmentBytes += segment.size
  }

  /// What is loaded here and there is what was read in one go before, or the call is not sealed.
  private func load(_ item: Pending) throws -> RecordedCall {
    var reason = "it cannot be read any more"
    do {
      if let call = try item.loader.load(item.track), call.raw.count == item.track.bytes { return call }
    } catch let error where !(error is FileError) {
      reason += ": \(error)"
    }
    throw UnsealableCalls([item.track.id], reason)
  }

  /// The name for a segment's first call. Never that of a file that is there: a damaged segment, or the leaf list of one
  /// that was removed, is not written over.
  private func freeName(_ writer: CallID, first: Int, last: Int) throws -> String {
    // Numbers of one writer mostly rise with the start, not always.
    var last = max(first, last)
    while true {
      let name = SegmentFormat.fileName(writer: writer, first: first, last: last)
      let others = [name, LeafList.fileName(ofSegment: name)]
      if try others.allSatisfy({ try store.files.status(store.archivePath + "/" + $0) == nil }) { return name }
      last += 1
    }
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
}
