internal import TapeTypes

/// Checks all journals: the checksum of every record, the chain of the batches, that no journal is cut short or missing,
/// and of each call that has ended the count and the hash of its response.
struct JournalAudit {
  private let store: Store
  private let onBytes: (Int) -> Void
  private(set) var damage: [Damage] = []
  private(set) var notes: [VerifyReport.Note] = []
  private(set) var journals = 0
  private(set) var bytes = 0
  private(set) var ended: [CallID] = []
  private(set) var open: [CallID] = []
  private(set) var lost: [CallID] = []

  /// - Parameter onBytes: is told how many bytes were done, journal by journal.
  init(store: Store, onBytes: @escaping (Int) -> Void) {
    self.store = store
    self.onBytes = onBytes
  }

  /// - Parameter only: the one writer whose journals are checked.
  /// - Throws: `FileError`.
  mutating func run(only: CallID? = nil) throws {
    for (writer, sequences) in try JournalListing(store: store).writers.sorted(by: { $0.key < $1.key })
    where only == nil || only == writer {
      try audit(writer, sequences)
    }
  }

  private mutating func audit(_ writer: CallID, _ sequences: [Int]) throws {
    guard let last = sequences.last else { return }
    let isAlive = try JournalListing.isAlive(writer, last: last, store: store)
    let tape = WriterTape()
    var calls = CallChecks()
    var before: Int?
    let ends = try JournalEnds(store: store, writer: writer, sequences: sequences)
    var isRefused = false
    for sequence in sequences {
      let name = JournalFormat.fileName(writer: writer, sequence: sequence)
      // Gone since it was listed: it was sealed.
      guard let journal = try JournalFile(store: store, name: name, writer: writer, sequence: sequence) else {
        continue
      }
      journals += 1
      var found: [Damage] = []
      let isFinal = sequence != last || !isAlive
      try journal.read(isFinal: isFinal, end: isFinal ? ends[sequence] : nil) { finding in
        switch finding {
        case .damage(let offset, let message):
          let open = tape.tracks.values.map(\.id).sorted()
          found.append(Damage(file: name, offset: offset, calls: open, message: message))
        case .tornTail(let offset, let bytes):
          let what =
            "its last \(bytes) bytes, from byte \(offset) on, are no whole record: its recorder died in a write"
          notes.append(VerifyReport.Note(.torn, file: name, what))
        }
      } _: { record in
        let problem = try tape.apply(
          record, file: name, sequence: sequence, hasPrevious: sequences.contains(sequence - 1)
        ) { calls.take($0) }
        if let problem {
          let whose = problem.call.map { [$0] } ?? []
          found.append(Damage(file: name, offset: record.offset, calls: whose, message: problem.message))
        }
        for (call, message) in calls.takeProblems() {
          found.append(Damage(file: name, offset: record.offset, calls: [call], message: message))
        }
      }
      if let before, before < sequence - 1 {
        let gone = try (before + 1..<sequence).filter { try isGone(writer, $0) }
        if !gone.isEmpty {
          let names = gone.map { JournalFormat.fileName(writer: writer, sequence: $0) }.joined(separator: ", ")
          let what = "journals go in order when their calls are sealed, and one before it is missing: \(names)"
          found.append(Damage(file: name, offset: 0, calls: tape.tracks.values.map(\.id).sorted(), message: what))
        }
      }
      before = sequence
      isRefused = isRefused || journal.isRefused
      damage += found
      bytes += journal.cursor.limit
      onBytes(journal.cursor.limit)
    }
    ended += calls.ended
    lost += calls.lost
    if isAlive || isRefused {
      open += tape.tracks.values.map(\.id)
    } else {
      let name = JournalFormat.fileName(writer: writer, sequence: last)
      let gone = try tape.loseAll { _ in }.map(\.id)
      if !gone.isEmpty { notes.append(VerifyReport.Note(.lost, file: name, calls: gone, Self.lostMessage)) }
      lost += gone
    }
  }

  /// A journal that is not there, nor kept as a damaged one.
  private func isGone(_ writer: CallID, _ sequence: Int) throws(FileError) -> Bool {
    let name = JournalFormat.fileName(writer: writer, sequence: sequence)
    if try store.hasArchiveFile(name + ".damaged") { return false }
    return try !store.hasArchiveFile(name)
  }

  static let lostMessage = "the recorder died before the call ended; what it had is kept"
}

/// Hashes the responses of calls whose frames come by side by side.
private struct CallChecks {
  private var hashers: [CallID: LeafHasher] = [:]
  private var problems: [(CallID, String)] = []
  private(set) var ended: [CallID] = []
  private(set) var lost: [CallID] = []

  mutating func take(_ event: JournalEvent) {
    switch event {
    case .opened(let open, _): hashers[open.id] = LeafHasher()
    case .frame(let id, let offsetNs, let bytes): hashers[id]?.frame(offsetNs: offsetNs, bytes)
    case .ended(let id, let end):
      ended.append(id)
      if let problem = hashers.removeValue(forKey: id)?.integrityProblem(end: end) { problems.append((id, problem)) }
    case .lost(let id, let loss):
      lost.append(id)
      if let problem = Integrity.problem(loss) { problems.append((id, problem)) }
      hashers[id] = nil
    case .sealed(let id): hashers[id] = nil
    case .head, .part, .gap, .damage: break
    }
  }

  mutating func takeProblems() -> [(CallID, String)] {
    defer { problems = [] }
    return problems
  }
}
