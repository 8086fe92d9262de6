package import TapeTypes

/// Reads all journals of a store as they grow.
///
/// Use it from one thread at a time. It starts at the beginning of every journal that is
/// there, also of those with calls that are sealed already.
package final class JournalFollower {
  private final class Writer {
    let tape = WriterTape()
    /// By sequence, those that are not read to their end.
    var journals: [JournalFile] = []
    var nextSequence = 0
    var isDead = false
    var ends: JournalEnds

    init(ends: JournalEnds) { self.ends = ends }
  }

  private let store: Store
  private var writers: [CallID: Writer] = [:]

  package init(store: Store) { self.store = store }

  /// Delivers what is new since the last poll; whole batches only, while their writer lives.
  ///
  /// - Parameter skipping: writers whose journals need not be read: nothing is delivered of them, unless they were read
  ///   before.
  /// - Throws: `TapeError` `.io`, and what `body` throws. What `body` did not get is lost to this follower then.
  package func poll(skipping: Set<CallID> = [], _ body: (JournalEvent) throws -> Void) throws {
    do {
      var listed: [CallID: [Int]] = [:]
      for name in try store.archiveFiles() {
        if let journal = JournalFormat.parse(fileName: name) {
          listed[journal.writer, default: []].append(journal.sequence)
        }
      }
      for id in Set(listed.keys).union(writers.keys).sorted() {
        if writers[id] == nil, skipping.contains(id) { continue }
        let writer = writers[id] ?? Writer(ends: JournalEnds(store: store, writer: id))
        writers[id] = writer
        try follow(id, writer, listed[id] ?? [], body)
        if writer.journals.isEmpty, listed[id] == nil { writers[id] = nil }
      }
    } catch let error as FileError {
      throw TapeError(.io, "cannot read the journals in \(store.archivePath): \(error.reason) (\(error.call))")
    }
  }

  /// How far a journal that may still grow was read; nil for one that was read to its end, or not at all.
  package func position(in file: String) -> Int? {
    guard let name = JournalFormat.parse(fileName: file) else { return nil }
    return writers[name.writer]?.journals.first { $0.sequence == name.sequence }?.cursor.offset
  }

  private func follow(
    _ id: CallID, _ writer: Writer, _ sequences: [Int], _ body: (JournalEvent) throws -> Void
  ) throws {
    for sequence in sequences.sorted() where sequence >= writer.nextSequence {
      let name = JournalFormat.fileName(writer: id, sequence: sequence)
      if let journal = try JournalFile(store: store, name: name, writer: id, sequence: sequence) {
        writer.journals.append(journal)
      }
      writer.nextSequence = sequence + 1
    }
    try writer.ends.take(sequences.sorted())
    let present = Set(sequences)
    for journal in writer.journals {
      try read(journal, writer, hasPrevious: present.contains(journal.sequence - 1), body)
    }
    writer.journals.removeAll { $0.isRead }
    if writer.isDead { _ = try writer.tape.loseAll(body) }
    try writer.tape.dropSealed(present: present, body)
    writer.tape.forgetDone(before: writer.nextSequence - 2)
  }

  private func read(
    _ journal: JournalFile, _ writer: Writer, hasPrevious: Bool, _ body: (JournalEvent) throws -> Void
  ) throws {
    let isLast = journal.sequence == writer.nextSequence - 1
    var isFinal = !isLast
    if isLast, try !journal.isHeld() {
      let next = JournalFormat.fileName(writer: journal.writer, sequence: journal.sequence + 1)
      // Its writer lets go of a journal after the next one is there.
      isFinal = true
      writer.isDead = try !store.hasArchiveFile(next)
    }
    var damage: [Damage] = []
    try journal.read(isFinal: isFinal, end: isFinal ? writer.ends[journal.sequence] : nil) { finding in
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
    journal.isRead = isFinal
    for item in damage { try body(.damage(item)) }
  }
}
