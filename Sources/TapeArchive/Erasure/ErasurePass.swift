internal import Logging
internal import TapeTypes

/// One go at what the list of erasures asks for, under the store's lock, behind a seal.
///
/// Every step leaves the archive as it should be: whatever interrupts it, the next pass goes on.
struct ErasurePass {
  let store: Store
  let sealer: Sealer
  private(set) var list: ErasureList
  let log: Logger
  private(set) var report = ErasureReport()

  init(store: Store, sealer: Sealer, list: ErasureList, log: Logger) {
    self.store = store
    self.sealer = sealer
    self.list = list
    self.log = log
  }

  /// - Parameters:
  ///   - seal: what was sealed just before, with this list.
  ///   - isFirst: calls were added to the list, so each may lie anywhere.
  mutating func finish(after seal: SealReport, isFirst: Bool) throws {
    report.erased = seal.erasedCalls
    report.damage = seal.damage
    let wanted = Set(list.inArchive)
    let journals = try callsInJournals(wanted)
    // What streams is in no segment.
    if isFirst || !wanted.subtracting(journals.keys).isEmpty { try rewriteSegments() }
    var out = wanted
    for item in report.pending { out.remove(item.id) }
    for (id, reason) in journals {
      report.pending.append(.init(id: id, reason: reason))
      out.remove(id)
    }
    out.subtract(try notePossiblyUnreadable(out.subtracting(report.erased)))
    if !out.isEmpty { try cleanLeftovers(of: out) }
    try askForJournals()
    // Without a catalogue there is nothing left to do.
    let hasCatalogue = try store.files.status(store.cataloguePath) != nil
    for id in out {
      if hasCatalogue { list[id]?.isOutOfArchive = true } else { list[id] = nil }
    }
    report.pending += out.sorted().filter { _ in hasCatalogue }.map { .init(id: $0, reason: .catalogue) }
    report.pending.sort { $0.id < $1.id }
    try list.write(to: store)
  }

  // MARK: Segments

  private mutating func rewriteSegments() throws {
    let erasing = Erasing(list: list, nowNs: sealer.clock.wallNs(), keeper: sealer.keeper)
    for name in try store.archiveFiles() where SegmentFormat.parse(fileName: name) != nil {
      do {
        guard
          let outcome = try SegmentErasure(store: store, level: sealer.level, erasing: erasing).rewrite(name)
        else { continue }
        note(outcome, of: name)
      } catch let error as TapeError where error.isDamage || error.code == .failed {
        noteUnreadable(name, "\(error)")
      } catch let error as BlockError {
        noteUnreadable(name, "\(error)")
      } catch let error as ZstdError {
        noteUnreadable(name, "\(error)")
      } catch let error as UnsealableCalls {
        noteUnreadable(name, "what was to take its place did not come back as it was written: \(error)")
      }
    }
  }

  private mutating func note(_ outcome: SegmentErasure.Outcome, of name: String) {
    if let mended = outcome.mended {
      let message = mended + (outcome.isRewritten ? "; it was written anew, with all that could be found in it" : "")
      report.damage.append(Damage(file: name, offset: 0, calls: [], message: message))
    }
    for stuck in outcome.stuck {
      report.damage.append(Damage(file: name, offset: stuck.offset, calls: stuck.block, message: stuck.why))
      let message =
        "the block at byte \(stuck.offset) cannot be read (\(stuck.why)), so it cannot be told which of its bytes are "
        + "whose of \(stuck.block.count) calls. " + Self.advice
      report.pending += stuck.calls.map { .init(id: $0, reason: .damaged(file: name, message)) }
    }
    guard outcome.isRewritten else { return }
    report.rewritten.append(name)
    report.erased += outcome.erased.filter { !report.erased.contains($0) }
    report.bytesFreed += outcome.bytesBefore - outcome.bytesAfter
    log.notice("\(name) was written again without \(outcome.erased.count) erased calls")
  }

  private static let advice =
    "Put an undamaged copy of the file in its place and erase again; if there is none, it can only go with the whole file"

  /// The wanted calls of a segment stay pending as long as it cannot be written anew.
  private mutating func noteUnreadable(_ name: String, _ message: String) {
    let entries = (try? SegmentReader(store: store, name: name).entries) ?? []
    let stuck = entries.filter { list[$0.id]?.isOutOfArchive == false && !$0.isErased }.map(\.id)
    report.damage.append(Damage(file: name, offset: 0, calls: stuck, message: message))
    report.pending += stuck.map { .init(id: $0, reason: .damaged(file: name, "\(message). \(Self.advice)")) }
  }

  /// Calls that are nowhere to be found, while there are segments that cannot be read to the end: they may be in those.
  private mutating func notePossiblyUnreadable(_ ids: Set<CallID>) throws -> Set<CallID> {
    guard !ids.isEmpty else { return [] }
    let known = try SealedCalls(Array(ids), in: store)
    let files = known.damage.map(\.file).filter { SegmentFormat.parse(fileName: $0) != nil }
    guard !files.isEmpty else { return [] }
    let names = files.joined(separator: ", ")
    let lost = ids.filter { known.files[$0] == nil }
    let message = "it may be there, and what is left of that cannot be read. " + Self.advice
    report.pending += lost.map { .init(id: $0, reason: .damaged(file: names, message)) }
    return lost
  }

  // MARK: Journals

  /// Which of the calls journals have after a seal, and why.
  private func callsInJournals(_ wanted: Set<CallID>) throws -> [CallID: ErasureReport.Pending.Reason] {
    var found: [CallID: ErasureReport.Pending.Reason] = [:]
    var writers: [CallID: CallID] = [:]
    try JournalFollower(store: store).poll { event in
      switch event {
      case .opened(let open, let location):
        guard wanted.contains(open.id) else { return }
        found[open.id] = .streaming
        writers[open.id] = JournalFormat.parse(fileName: location.file)?.writer
      case .ended(let id, _), .lost(let id, _):
        guard found[id] != nil else { return }
        found[id] = list[id]?.keepsUsage == true && sealer.keeper == nil ? .usage : .journal("")
      case .sealed, .head, .frame, .part, .gap, .damage: break
      }
    }
    let listing = try JournalListing(store: store).writers
    for (id, reason) in found where reason == .journal("") {
      guard let writer = writers[id], let last = listing[writer]?.last else { continue }
      found[id] = .journal(JournalFormat.fileName(writer: writer, sequence: last))
    }
    return found
  }

  /// Asks the writers of ended calls for their next journal, and takes back what was asked and is done.
  private func askForJournals() throws {
    var asked: Set<String> = []
    for item in report.pending {
      if case .journal(let name) = item.reason { asked.insert(JournalFormat.rollRequest(for: name)) }
    }
    var there: Set<String> = []
    for name in try store.archiveFiles() where name.hasSuffix(JournalFormat.rollSuffix) {
      there.insert(name)
      if !asked.contains(name) { try store.files.unlink(store.archivePath + "/" + name) }
    }
    for name in asked.subtracting(there) {
      store.files.close(try store.files.open(store.archivePath + "/" + name, .create))
    }
  }

  // MARK: What was set aside

  /// Torn tails are no whole records, so nobody can tell whose they were: those that may be of an erased call go.
  /// Damaged journals lose the records of erased calls, and what cannot be read of them.
  private mutating func cleanLeftovers(of ids: Set<CallID>) throws {
    let oldest = ids.map { Int64(clamping: $0.milliseconds) }.min() ?? 0
    for name in try store.archiveFiles() {
      let path = store.archivePath + "/" + name
      guard name.hasSuffix(".torn") || name.hasSuffix(".damaged"), let status = try store.files.status(path) else {
        continue
      }
      // A day's grace for clocks that were set.
      let mayHold = oldest - 86_400_000 <= status.modifiedNs / 1_000_000
      if name.hasSuffix(".torn") {
        guard mayHold else { continue }
        try store.files.unlink(path)
        report.removed.append(name)
        report.bytesFreed += status.bytes
      } else if let journal = JournalFormat.parse(fileName: String(name.dropLast(".damaged".utf8.count))) {
        let voided = try JournalErasure(store: store).void(
          ids, in: name, writer: journal.writer, sequence: journal.sequence, damageToo: mayHold)
        guard voided > 0 else { continue }
        report.rewritten.append(name)
        report.bytesFreed += status.bytes - (try store.files.status(path)?.bytes ?? 0)
      }
    }
    try store.files.syncDirectory(store.archivePath)
  }
}
