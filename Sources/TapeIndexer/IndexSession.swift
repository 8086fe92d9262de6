internal import Logging
internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
internal import TapeJSON
internal import TapeTypes

/// One writer's work on a catalogue: knows how far it has read the journals and which calls go on. After an error
/// it is thrown away; the next one starts from what the catalogue says.
final class IndexSession {
  let store: Store
  let writer: CatalogueWriter
  let log: Logger
  let clock: any TapeClock
  var follower: JournalFollower
  /// Which boot of the machine this is: noted with each journal.
  let boot: Int64
  /// Calls of journals that have not ended.
  var tracked: [CallID: TrackedCall] = [:]
  /// What is indexed: file name → bytes. nil until read; nobody else writes it.
  var sources: [String: Int]?
  /// When each indexed file had last been changed.
  var sourceTimes: [String: Int64] = [:]
  /// Segments that the disk did not give, with the moment from which on they are asked for again.
  private var askAgainNs: [String: Int64] = [:]
  private static let patienceNs: Int64 = 60_000_000_000
  /// The last change of the archive's directory that all segments were asked for, if it was long enough ago to be sure.
  private var knownDirectoryNs: Int64?
  /// The catalogue knows of erased calls.
  var hasErased = false
  /// How far this session has read journals: file name → bytes.
  var reached: [String: Int] = [:]
  /// Writers of calls that were open when this session began.
  var openWriters: Set<CallID> = []
  /// The journals were read once, so that `tracked` knows all open calls.
  var hasPolled = false
  /// Journals are to be read again from their beginning.
  var mustLookAgain = false
  /// Bytes of journals that are taken in together, about: that keeps the log of changes small. Where the archive is
  /// followed it is less, so that what is new is seen before all of it is read.
  var (budget, followingBudget) = (16 << 20, 4 << 20)
  var report = IndexReport()
  /// Called before each row is written: where tests make a run die.
  var onWrite: () throws -> Void = {}
  var progress = IndexProgress(doneBytes: 0, totalBytes: 0, calls: 0)

  init(store: Store, writer: CatalogueWriter, log: Logger, clock: any TapeClock = SystemClock()) {
    self.store = store
    self.writer = writer
    self.log = log
    self.clock = clock
    follower = JournalFollower(store: store)
    boot = store.boot
  }

  /// Brings the catalogue to what the archive is now, open calls included.
  ///
  /// - Parameter shouldLeave: asked all the time; once it says so, the rest is for another session.
  func catchUp(leavingWhen shouldLeave: () -> Bool = { false }, _ onProgress: (IndexProgress) -> Void) throws {
    // While this goes on a journal may be sealed: then its calls lie in a segment that the listing did not have.
    while try !shouldLeave() && pass(refreshAll: true, leavingWhen: shouldLeave, onProgress) {}
    report.refused = try writer.transaction { try $0.damage(saying: Damage.newerVersion) }.map {
      "\($0.file) is not in the catalogue: \($0.message)"
    }
    try packUsage()
  }

  /// Calls that were written since usage was packed.
  private var unpacked = 0

  /// Gathers the usage of what has come in, so that sums need not look at each row.
  private func packUsage() throws {
    try writer.transaction { try $0.packUsage() }
    unpacked = 0
  }

  /// One look at the archive for what is new.
  ///
  /// - Parameter shouldLeave: asked before each segment; once it says so, what was not taken in yet is left.
  /// - Returns: true if files came or went meanwhile, so that another look is due at once.
  @discardableResult
  func pass(
    refreshAll: Bool, leavingWhen shouldLeave: () -> Bool = { false }, _ onProgress: (IndexProgress) -> Void
  ) throws -> Bool {
    if sources == nil { sources = try firstSources() }
    let files = try listing(remembering: true)
    if !hasPolled { try forgetOtherBoots(files) }
    let before = sources ?? [:]
    let writes = report.calls + report.movedCalls
    progress.totalBytes = files.reduce(0) { $0 + max(0, $1.bytes) }
    progress.doneBytes = 0
    for file in files where file.kind == .segment {
      // Journals that went stay in the catalogue, as their calls may be in a segment that was not looked at.
      if shouldLeave() { return true }
      if before[file.name] ?? -1 < 0 {
        if clock.monotonicNs() >= askAgainNs[file.name] ?? .min { try indexSegment(file) }
      } else if let modified = file.modifiedNs, modified != sourceTimes[file.name] {
        try refreshSegment(file)
      }
      if unpacked >= CatalogueTransaction.usageBlockSize { try packUsage() }
      progress.doneBytes += file.bytes
      progress.calls = report.calls
      onProgress(progress)
    }
    try noteIntruders(files, before)
    let journals = files.filter { $0.kind == .journal }
    var isWhole = true
    if try needsPoll(journals, before) {
      isWhole = try pollJournals(journals, before, refreshAll: refreshAll, onProgress)
    }
    if isWhole { progress.doneBytes = progress.totalBytes }
    progress.calls = report.calls
    onProgress(progress)
    mustLookAgain = false
    let isOutdated = try !forgetGone(files)
    if unpacked >= CatalogueTransaction.usageBlockSize { try packUsage() }
    if mustLookAgain || !isWhole { return true }
    guard isOutdated || report.calls + report.movedCalls > writes else { return false }
    return try Set(listing().map(\.name)) != Set(files.map(\.name))
  }

  private func firstSources() throws -> [String: Int] {
    try writer.transaction { transaction in
      sourceTimes = try transaction.sourceTimes()
      openWriters = Set(try transaction.filesOfOpenCalls().compactMap { JournalFormat.parse(fileName: $0)?.writer })
      hasErased = try transaction.count("SELECT EXISTS (SELECT 1 FROM erased)") == 1
      return try transaction.sources()
    }
  }

  /// - Parameter remembering: segments that changed by now are looked at: the next listing need not ask for them.
  private func listing(remembering: Bool = false) throws -> [SourceFile] {
    let changed: Int64?
    do { changed = try store.files.status(store.archivePath)?.modifiedNs } catch {
      throw TapeError(.io, "cannot list the archive \(store.archivePath): \(error.reason) (\(error.call))")
    }
    if let changed, changed == knownDirectoryNs { return try SourceFile.list(store, known: sources ?? [:]) }
    // A change within the tick of the file system's clock would not show.
    let isSettled = changed.map { clock.wallNs() - $0 > 1_000_000_000 } ?? false
    if remembering { knownDirectoryNs = isSettled ? changed : nil }
    return try SourceFile.list(store)
  }

  /// The file is indexed as it is.
  func note(_ file: SourceFile) {
    sources?[file.name] = file.bytes
    sourceTimes[file.name] = file.modifiedNs
  }

  /// The call is in a segment.
  func forget(_ id: CallID) { tracked[id] = nil }

  // MARK: Segments

  /// Takes in a segment, in one transaction; what of it cannot be read is noted as damage. What the disk does not give
  /// now is asked for again.
  func indexSegment(_ file: SourceFile) throws {
    var damage: [Damage] = []
    var isRead = true
    try writer.transaction { transaction in
      // Of something else that had its name.
      try transaction.removeSource(file.name)
      do {
        try takeIn(file, &damage, in: transaction)
      } catch let error as TapeError where error.code == .corrupt || error.code == .newerVersion {
        damage.append(Damage(file: file.name, offset: 0, calls: [], message: error.description))
      }
      for item in damage { try note(item, in: transaction) }
      isRead = !damage.contains(where: \.isUnreadable)
      try transaction.setSource(
        file.name, kind: "segment", bytes: isRead ? file.bytes : -1, modifiedNs: isRead ? file.modifiedNs ?? 0 : 0)
    }
    report.segments += 1
    guard isRead else {
      sources?[file.name] = -1
      return askAgainNs[file.name] = clock.monotonicNs() + Self.patienceNs
    }
    note(file)
  }

  private func takeIn(_ file: SourceFile, _ damage: inout [Damage], in transaction: CatalogueTransaction) throws {
    let reader: SegmentReader
    do {
      reader = try SegmentReader(store: store, name: file.name)
    } catch let error as TapeError where error.code == .io {
      var unread = Damage(file: file.name, offset: 0, calls: [], message: error.description)
      unread.isUnreadable = true
      return damage.append(unread)
    }
    try reader.forEachOutline {
      damage.append($0)
    } _: { call in
      try index(call, &damage, in: transaction)
    }
    let tombstones = reader.tombstones { if $0.isUnreadable { damage.append($0) } }
    for tombstone in tombstones { try bury(tombstone, in: file.name, transaction) }
  }

  private func index(_ call: SealedCall, _ damage: inout [Damage], in transaction: CatalogueTransaction) throws {
    let problem = try call.integrityProblem()
    if let problem { damage.add(Damage(call.location, call.id, problem)) }
    tracked[call.id] = nil
    // What was erased stays so, also when an old copy of its segment comes back.
    if hasErased, try transaction.isErased(call.id) { return }
    if let known = try transaction.known(call.id) {
      // The same call in two segments: the first of them by name counts, whichever was seen first.
      let isSegment = Self.isSegment(known.file)
      if isSegment, known.file < call.location.file, try isThere(known.file) { return }
      if known.state != CallState.open.rawValue, known.leafHash == Hex.string(call.leafHash) {
        if known.file != call.location.file || known.offset != call.location.offset {
          try transaction.move(known, file: call.location.file, offset: call.location.offset)
          report.movedCalls += 1
        }
        return
      }
    }
    try write(CallSummary(call, problem: problem), in: transaction)
  }

  static func isSegment(_ name: String) -> Bool { SourceFile.kind(of: name) == .segment }

  private func isThere(_ name: String) throws -> Bool { try listing().contains { $0.name == name } }

  // MARK: Rows

  /// - Parameter withContent: false if the row was written before, and only the row has changed.
  func write(
    _ summary: CallSummary, withContent: Bool = true, in transaction: CatalogueTransaction
  ) throws {
    try onWrite()
    try transaction.upsert(summary.row(), id: summary.open.id, content: withContent ? summary.content() : nil)
    report.calls += 1
    unpacked += 1
    if summary.isDecoded { report.decodedCalls += 1 }
    report.rawBytes += summary.bytes
  }

  // MARK: Files that went

  /// - Returns: false if that has to wait until newer files are indexed.
  private func forgetGone(_ files: [SourceFile]) throws -> Bool {
    let names = Set(files.map(\.name))
    let gone = (sources ?? [:]).keys.filter { !names.contains($0) }.sorted()
    guard !gone.isEmpty else { return true }
    // A file that came after the listing may have the calls of one that went: look at it first.
    guard try listing().allSatisfy({ $0.kind != .segment || names.contains($0.name) }) else { return false }
    try writer.transaction { transaction in
      for name in gone {
        report.removedCalls += try transaction.removeCalls(in: name)
        try transaction.removeSource(name)
      }
    }
    for name in gone {
      sources?[name] = nil
      reached[name] = nil
    }
    if gone.contains(where: Self.isSegment) { try rereadJournals(files) }
    return true
  }

  // MARK: Damage

  /// Notes what is no file and has the name of one, once; it is forgotten as a file is that went.
  private func noteIntruders(_ files: [SourceFile], _ sources: [String: Int]) throws {
    let names = Set(files.filter { $0.kind == .intruder && sources[$0.name] != $0.bytes }.map(\.name))
    guard !names.isEmpty else { return }
    let damage: [Damage]
    do { damage = try store.archiveIntruders() } catch {
      throw TapeError(.io, "cannot list the archive \(store.archivePath): \(error.reason) (\(error.call))")
    }
    try writer.transaction { transaction in
      for item in damage where names.contains(item.file) {
        try note(item, in: transaction)
        let kind = SourceFile.kind(of: item.file) ?? .journal
        try transaction.setSource(item.file, kind: kind.rawValue, bytes: -1)
        self.sources?[item.file] = -1
      }
    }
  }

  func note(_ damage: Damage, in transaction: CatalogueTransaction) throws {
    log.warning("damage in the archive", metadata: ["file": "\(damage.file)", "what": "\(damage.message)"])
    report.damage.append(damage)
    let calls = JSONValue.array(damage.calls.map { .string($0.description) }).compactString
    try transaction.addDamage(file: damage.file, offset: damage.offset, calls: calls, message: damage.message)
  }
}

extension Damage {
  /// A call that is not whole, wherever the damage was done.
  init(_ location: CallLocation, _ call: CallID, _ problem: String) {
    self.init(file: location.file, offset: location.offset, calls: [call], message: problem)
  }
}

extension [Damage] {
  /// One entry for all calls of a block with the same words: so the catalogue keeps them.
  fileprivate mutating func add(_ item: Damage) {
    if let index = firstIndex(where: { $0.offset == item.offset && $0.message == item.message }) {
      self[index].calls += item.calls
    } else {
      append(item)
    }
  }
}
