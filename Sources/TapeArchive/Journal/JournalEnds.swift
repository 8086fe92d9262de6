internal import TapeTypes

/// Where the journals of a writer end, as the ones that follow them say.
///
/// After a failed sync or write a journal repeats what was not synced. What the journals before it have of that may
/// have holes after a loss of power, or be what the writer took back: it does not count.
struct JournalEnds {
  private let store: Store
  private let writer: CallID
  private var ends: [Int: Int] = [:]
  private var known = 0

  init(store: Store, writer: CallID) {
    self.store = store
    self.writer = writer
  }

  init(store: Store, writer: CallID, sequences: [Int]) throws(FileError) {
    self.init(store: store, writer: writer)
    try take(sequences)
  }

  /// Learns what journals that are new say of those before them.
  mutating func take(_ sequences: [Int]) throws(FileError) {
    for sequence in sequences.dropFirst() where sequence > known {
      known = sequence
      let name = JournalFormat.fileName(writer: writer, sequence: sequence)
      guard
        let journal = try JournalFile(store: store, name: name, writer: writer, sequence: sequence, chunk: 4096),
        let origin = try journal.origin()
      else { continue }
      for earlier in sequences where earlier < sequence && earlier > origin.sequence { ends[earlier] = 0 }
      ends[origin.sequence] = min(ends[origin.sequence] ?? .max, origin.offset)
    }
  }

  /// nil: the journal's own end.
  subscript(sequence: Int) -> Int? { ends[sequence] }
}
