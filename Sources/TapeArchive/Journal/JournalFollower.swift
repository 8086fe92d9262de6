package import TapeTypes

/// Reads all journals of a store as they grow.
///
/// Use it from one thread at a time. It starts at the beginning of every journal that is
/// there, also of those with calls that are sealed already.
package final class JournalFollower {
  private final class Writer {
    let tape: WriterTape
    /// By sequence, those that are not read to their end.
    var journals: [JournalFile] = []
    var nextSequence = 0
    var isDead = false
    var ends: JournalEnds

    init(ends: JournalEnds, keepsRecords: Bool) {
      self.ends = ends
      tape = WriterTape(keepsRecords: keepsRecords)
    }
  }

  private let store: Store
  private var writers: [CallID: Writer] = [:]
  /// The writer in whose journals the last poll stopped.
  private var stoppedAt: CallID?

  /// Takes where each call lies that has ended or is lost.
  private let onPlaces: ((JournalPlaces) -> Void)?

  /// - Parameter onPlaces: takes where each call lies that has ended or is lost, behind what is delivered of it.
  package init(store: Store, onPlaces: ((JournalPlaces) -> Void)? = nil) {
    self.store = store
    self.onPlaces = onPlaces
  }

  /// Delivers what is new since the last poll; whole batches only, while their writer lives.
  ///
  /// - Parameters:
  ///   - skipping: writers whose journals need not be read: nothing is delivered of them, unless they were read before.
  ///   - budget: how many bytes of journals are read at most, about; the next poll goes on from there.
  /// - Returns: false if there is more than the budget allowed.
  /// - Throws: `TapeError` `.io`, and what `body` throws. What `body` did not get is lost to this follower then.
  @discardableResult
  package func poll(
    skipping: Set<CallID> = [], budget: Int = .max, _ body: (JournalEvent) throws -> Void
  ) throws -> Bool {
    var left = budget
    do {
      var listed: [CallID: [Int]] = [:]
      for name in try store.archiveFiles() {
        if let journal = JournalFormat.parse(fileName: name) {
          listed[journal.writer, default: []].append(journal.sequence)
        }
      }
      for id in listed.keys where writers[id] == nil && !skipping.contains(id) {
        writers[id] = makeWriter(id)
      }
      for id in order() {
        guard let writer = writers[id] else { continue }
        guard try follow(id, writer, listed[id] ?? [], &left, body) else {
          stoppedAt = id
          return false
        }
        if writer.journals.isEmpty, listed[id] == nil { writers[id] = nil }
      }
      return true
    } catch let error as FileError {
      throw TapeError(.io, "cannot read the journals in \(store.archivePath): \(error.reason) (\(error.call))")
    }
  }

  private func makeWriter(_ id: CallID) -> Writer {
    let writer = Writer(ends: JournalEnds(store: store, writer: id), keepsRecords: onPlaces != nil)
    if let onPlaces { writer.tape.onEnd = { onPlaces(JournalPlaces($0, writer: id)) } }
    return writer
  }

  /// By name, but beginning behind the one that took all of the last budget: no writer is kept waiting by another.
  private func order() -> [CallID] {
    let sorted = writers.keys.sorted()
    guard let stoppedAt else { return sorted }
    self.stoppedAt = nil
    let first = sorted.firstIndex { $0 > stoppedAt } ?? 0
    return Array(sorted[first...] + sorted[..<first])
  }

  /// How far a journal was read that may still grow, or has more than the budget allowed; nil for one that was read to
  /// its end, or skipped.
  package func position(in file: String) -> Int? {
    guard let name = JournalFormat.parse(fileName: file), let writer = writers[name.writer] else { return nil }
    if name.sequence >= writer.nextSequence { return 0 }
    return writer.journals.first { $0.sequence == name.sequence }?.cursor.offset
  }

  /// False if the budget was not enough.
  private func follow(
    _ id: CallID, _ writer: Writer, _ sequences: [Int], _ budget: inout Int, _ body: (JournalEvent) throws -> Void
  ) throws -> Bool {
    for sequence in sequences.sorted() where sequence >= writer.nextSequence {
      let name = JournalFormat.fileName(writer: id, sequence: sequence)
      if let journal = try JournalFile(store: store, name: name, writer: id, sequence: sequence) {
        writer.journals.append(journal)
      }
      writer.nextSequence = sequence + 1
    }
    try writer.ends.take(sequences.sorted())
    let present = Set(sequences)
    defer { writer.journals.removeAll { $0.isRead } }
    for journal in writer.journals {
      let start = journal.cursor.offset
      let hasPrevious = present.contains(journal.sequence - 1)
      guard try read(journal, writer, hasPrevious: hasPrevious, budget: budget, body) else { return false }
      budget -= journal.cursor.offset - start
    }
    if writer.isDead {
      for track in try writer.tape.loseAll(body) { onPlaces?(JournalPlaces(track, writer: id)) }
    }
    try writer.tape.dropSealed(present: present, body)
    writer.tape.forgetDone(before: writer.nextSequence - 2)
    return true
  }

  private func read(
    _ journal: JournalFile, _ writer: Writer, hasPrevious: Bool, budget: Int, _ body: (JournalEvent) throws -> Void
  ) throws -> Bool {
    let isLast = journal.sequence == writer.nextSequence - 1
    var isFinal = !isLast
    if isLast, try !journal.isHeld() {
      let next = JournalFormat.fileName(writer: journal.writer, sequence: journal.sequence + 1)
      // Its writer lets go of a journal after the next one is there.
      isFinal = true
      writer.isDead = try !store.hasArchiveFile(next)
    }
    var damage: [Damage] = []
    let isWhole = try journal.read(
      isFinal: isFinal, end: isFinal ? writer.ends[journal.sequence] : nil, budget: budget
    ) { finding in
      guard case .damage(let offset, let message) = finding else { return }
      // What is unreadable may have been of any call that had not ended, its end too.
      let open = writer.tape.tracks.values.sorted { $0.number < $1.number }.map(\.id)
      damage.append(Damage(file: journal.name, offset: offset, calls: open, message: message))
    } _: { record in
      let problem = try writer.tape.apply(
        record, file: journal.name, sequence: journal.sequence, hasPrevious: hasPrevious, body)
      if let problem {
        damage.append(
          Damage(
            file: journal.name, offset: record.offset, calls: problem.call.map { [$0] } ?? [], message: problem.message)
        )
      }
    }
    journal.isRead = isFinal && isWhole
    for item in damage { try body(.damage(item)) }
    return isWhole
  }
}
