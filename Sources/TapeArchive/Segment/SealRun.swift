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
  /// What segments have of the calls that journals may have too: the segments, by call.
  private var sealedBefore: [CallID: Listed]?
  private var sealedHere: [CallID: Listed] = [:]
  /// Calls of journals that a segment has already.
  private var doubles: [(item: Pending, listed: Listed)] = []

  /// Which segment lists a call, and whether as a tombstone.
  private struct Listed {
    var segment: String
    var isErased: Bool
  }
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
    try checkDoubles()
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

  /// What a segment has already goes from a journal only if the segment can be read there, and has the same: what an
  /// index says alone makes nothing go.
  private mutating func checkDoubles() throws {
    let leaving = doubles.filter { item, listed in
      listed.isErased || kept[item.writer]?.isSuperset(of: item.track.records.map(\.sequence)) != true
    }
    for (name, items) in Dictionary(grouping: leaving, by: \.listed.segment).sorted(by: { $0.key < $1.key }) {
      let sealed = try leaves(of: Set(items.map(\.item.track.id)), in: name)
      for (item, _) in items {
        let id = item.track.id
        do {
          guard let isErased = try sealed[id]?[leafHash(of: load(item))] else {
            keep(item, sealed[id] == nil ? "\(name) lists it and cannot be read" : "\(name) has another of its id")
            continue
          }
          guard isErased else { continue }
          buried.insert(id)
          erasedWriters.insert(item.writer)
        } catch let error as UnsealableCalls {
          keep(item, error.description)
        }
      }
    }
  }

  /// The leaf hashes that a segment has of these calls, as they were computed, and whether of a tombstone.
  private func leaves(of wanted: Set<CallID>, in name: String) throws -> [CallID: [[UInt8]: Bool]] {
    var leaves: [CallID: [[UInt8]: Bool]] = [:]
    do {
      try SegmentReader(store: store, name: name).forEachItem(onDamage: { _ in }) { item, _, leaf in
        if wanted.contains(item.id) { leaves[item.id, default: [:]][leaf] = item.call == nil }
      }
    } catch let error as TapeError where error.isDamage {}
    return leaves
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
    for item in pending where !fits(item.track) && sealed[item.track.id] == nil {
      keep(item, "it is larger than a segment takes")
    }
    for item in pending where erasing.mustWait(item.track.id) {
      kept[item.writer, default: []].formUnion(item.track.records.map(\.sequence))
    }
    for item in pending where erasing.wants(item.track.id) || buried.contains(item.track.id) {
      erasedWriters.insert(item.writer)
    }
    for item in pending {
      if let listed = sealed[item.track.id] ?? sealedHere[item.track.id] { doubles.append((item, listed)) }
    }
    let calls = pending.filter {
      sealed[$0.track.id] == nil && sealedHere[$0.track.id] == nil && fits($0.track)
        && !erasing.mustWait($0.track.id)
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
      try write(Array(calls[start..<end]))
      start = end
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

  /// Writes a segment of these calls. One that does not come back as it was must not keep others from being sealed:
  /// they are parted until it stands alone.
  private mutating func write(_ calls: [Pending]) throws {
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
        try write(Array(calls[..<(calls.count / 2)]))
        try write(Array(calls[(calls.count / 2)...]))
      } else {
        try write(calls.filter { !error.ids.contains($0.track.id) })
        try write(suspects)
      }
    }
  }

  private mutating func writeSegment(_ calls: [Pending]) throws {
    guard let first = calls.first else { return }
    let last = calls.last { $0.writer == first.writer } ?? first
    // Numbers of one writer mostly rise with the start, not always.
    let name = SegmentFormat.fileName(
      writer: first.writer, first: first.track.number, last: max(first.track.number, last.track.number))
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
      try discard(segment)
      throw UnsealableCalls(segment.blockCalls, "\(error)")
    } catch let error as UnsealableCalls {
      try discard(segment)
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
    for item in calls { sealedHere[item.track.id] = Listed(segment: name, isErased: false) }
  }

  private func discard(_ segment: SegmentWriter) throws {
    if try store.files.status(segment.temporaryPath) != nil { try store.files.unlink(segment.temporaryPath) }
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
  /// because of a call that had not ended. Only segments younger than the oldest journal can hold such calls.
  private mutating func alreadySealed() throws -> [CallID: Listed] {
    if let known = sealedBefore { return known }
    var oldest = Int64.max
    for journal in closed { oldest = min(oldest, Int64(clamping: journal.writer.milliseconds) * 1_000_000) }
    // A day's grace for clocks that were set.
    oldest -= 86_400 * 1_000_000_000
    var sealed: [CallID: Listed] = [:]
    for name in try store.archiveFiles() where SegmentFormat.parse(fileName: name) != nil {
      guard let status = try store.files.status(store.archivePath + "/" + name), status.modifiedNs >= oldest else {
        continue
      }
      do {
        let segment = try SegmentReader(store: store, name: name)
        for entry in segment.entries {
          if sealed[entry.id] == nil { sealed[entry.id] = Listed(segment: name, isErased: entry.isErased) }
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
