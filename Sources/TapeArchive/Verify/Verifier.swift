internal import Dispatch
internal import Synchronization
internal import TapeTypes

/// Checks everything in a store's archive. Reads only, takes no lock, and runs beside writers: what is sealed while it
/// looks at the journals it finds among the segments.
package struct Verifier {
  /// A checkpoint to compare with.
  package struct Kept: Sendable {
    /// What it is called in the report.
    package var name: String
    package var note: CheckpointNote
    /// Whose signature it has to have.
    package var key: NoteVerifierKey?

    package init(name: String, note: CheckpointNote, key: NoteVerifierKey? = nil) {
      self.name = name
      self.note = note
      self.key = key
    }
  }

  /// Is told how many bytes of how many are done; from several threads, one at a time.
  package typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  let store: Store

  package init(store: Store) { self.store = store }

  /// Everything.
  ///
  /// - Throws: `TapeError` `.io` where the archive cannot be listed; whatever is wrong with its files is in the report.
  package func run(kept: [Kept] = [], progress: @escaping Progress = { _, _ in }) throws -> VerifyReport {
    do {
      return try check(kept, progress)
    } catch let error as FileError {
      throw TapeError(
        .io, "cannot read the archive \(store.archivePath): \(error.reason) (\(error.doing))")
    }
  }

  private func check(_ kept: [Kept], _ progress: @escaping Progress) throws -> VerifyReport {
    var report = VerifyReport()
    report.origin = try store.origin()
    let meter = Meter(total: try archiveBytes(), progress: progress)
    // Journals first, and the checkpoint before the segments: what is sealed meanwhile is then seen there.
    var journals = JournalAudit(store: store) { meter.add($0) }
    try journals.run()
    var kept = kept
    let own = try ownCheckpoint(&report)
    if let own { kept.insert(Kept(name: Store.checkpointFile, note: own), at: 0) }
    let tree = try ArchiveTree(store: store)
    let segments = audit(tree, meter)
    let unsealed = Set(journals.ended).union(journals.open).union(journals.lost)
    var trees = try TreeAudit(tree: tree, kept: kept, unsealed: unsealed)
    trees.compare(origin: report.origin)
    report.take(journals, isSealed: trees.contains)
    for segment in segments { report.take(segment) }
    report.take(trees, tree)
    report.archiveBytes = meter.total
    try others(&report)
    if own == nil { missingCheckpoint(tree, &report) }
    if let own, own.checkpoint.size < tree.size {
      let what = "it counts \(own.checkpoint.size) of \(tree.size) calls: a seal was interrupted; the next one mends it"
      report.notes.append(VerifyReport.Note(.behind, file: Store.checkpointFile, what))
    }
    return report
  }

  /// Segments on all cores, one block of each in memory.
  private func audit(_ tree: ArchiveTree, _ meter: Meter) -> [SegmentAudit] {
    let names = tree.segments
    let audits = Mutex([Int: SegmentAudit]())
    DispatchQueue.concurrentPerform(iterations: names.count) { index in
      let audit = SegmentAudit(store: store, name: names[index]) { meter.add($0) }
      audits.withLock { $0[index] = audit }
    }
    return audits.withLock { audits in names.indices.compactMap { audits[$0] } }
  }

  private func archiveBytes() throws(FileError) -> Int {
    var bytes = 0
    for name in try store.archiveFiles() {
      let kind = ArchiveFile.Kind(name: name)
      guard kind == .segment || kind == .journal || kind == .leaves else { continue }
      bytes += try store.files.status(store.archivePath + "/" + name)?.bytes ?? 0
    }
    return bytes
  }

  // MARK: What is not a journal or a segment

  private func ownCheckpoint(_ report: inout VerifyReport) throws -> CheckpointNote? {
    do {
      return try store.ownCheckpoint()
    } catch let error as TapeError where error.code == .corrupt {
      report.damage.append(Damage(file: Store.checkpointFile, offset: 0, calls: [], message: error.description))
      return nil
    }
  }

  /// Every seal leaves a checkpoint, unless it was interrupted just before.
  private func missingCheckpoint(_ tree: ArchiveTree, _ report: inout VerifyReport) {
    guard tree.parts.contains(where: \.statesPlace), report.damage.allSatisfy({ $0.file != Store.checkpointFile })
    else {
      return
    }
    let what = "it is missing"
    if report.journals > 0 {
      let message = what + ": a seal was interrupted; the next one writes it"
      report.notes.append(VerifyReport.Note(.behind, file: Store.checkpointFile, message))
    } else {
      let message = what + ", so calls removed from the end of the archive cannot be told without one kept elsewhere"
      report.damage.append(Damage(file: Store.checkpointFile, offset: 0, calls: [], message: message))
    }
  }

  private func others(_ report: inout VerifyReport) throws {
    report.damage += try store.archiveIntruders()
    for name in try store.archiveFiles() {
      switch ArchiveFile.Kind(name: name) {
      case .torn:
        report.notes.append(
          VerifyReport.Note(.torn, file: name, "the end of a journal that was no whole record, set aside by a seal"))
      case .temporary:
        report.notes.append(
          VerifyReport.Note(.unfinished, file: name, "it was not finished; the next seal removes it"))
      case .quarantined:
        let message =
          "a journal that was found damaged when it was sealed; what could be read of it is in a segment. "
          + "Remove the file once you have dealt with it"
        report.damage.append(Damage(file: name, offset: 0, calls: [], message: message))
      case .journal, .segment, .leaves, .checkpoint, .other: break
      }
    }
  }
}

/// Adds up what several threads have done.
private final class Meter: Sendable {
  let total: Int
  private let done = Mutex(0)
  private let progress: Verifier.Progress

  init(total: Int, progress: @escaping Verifier.Progress) {
    self.total = total
    self.progress = progress
  }

  func add(_ bytes: Int) {
    done.withLock { done in
      done += bytes
      progress(min(done, total), total)
    }
  }
}

extension VerifyReport {
  fileprivate mutating func take(_ audit: JournalAudit, isSealed: (CallID) -> Bool) {
    journals = audit.journals
    unsealedCalls = audit.ended.count { !isSealed($0) }
    openCalls = audit.open.count { !isSealed($0) }
    lostCalls += audit.lost.count { !isSealed($0) }
    damage += audit.damage
    notes += audit.notes
  }

  fileprivate mutating func take(_ audit: SegmentAudit) {
    segments += 1
    sealedCalls += audit.calls
    erasedCalls += audit.tombstones
    lostCalls += audit.lost.count
    rawBytes += audit.rawBytes
    damage += audit.damage
    notes += audit.notes
  }

  fileprivate mutating func take(_ audit: TreeAudit, _ tree: ArchiveTree) {
    leafLists = tree.parts.count(where: \.isLeafList)
    removedCalls = audit.removed
    treeSize = tree.size
    root = audit.end?.root
    checkpoints = audit.compared
    damage += audit.damage
    notes += audit.notes
  }
}
