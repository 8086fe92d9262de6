internal import TapeTypes

/// Reads the closed journals of one writer for the calls in them and where their records are.
final class WriterScan {
  let writer: CallID
  private let store: Store
  private let tape = WriterTape(keepsRecords: true)
  /// Calls that have ended or are lost, and were not taken yet.
  private(set) var ready: [CallTrack] = []
  private(set) var damage: [Damage] = []
  /// Bytes at the end of a journal that are no whole record.
  private(set) var torn: [(file: String, offset: Int, bytes: Int)] = []
  /// Journals of a version that is too new.
  private(set) var refused: Set<Int> = []
  private(set) var lost: Set<CallID> = []

  init(store: Store, writer: CallID) {
    self.store = store
    self.writer = writer
    tape.onEnd = { [unowned self] in ready.append($0) }
  }

  /// Reads one journal; they have to come in order.
  ///
  /// - Parameters:
  ///   - isFinal: its writer appends no more.
  ///   - end: where it ends according to a journal that follows it.
  func read(sequence: Int, hasPrevious: Bool, isFinal: Bool, end: Int?) throws {
    let name = JournalFormat.fileName(writer: writer, sequence: sequence)
    guard let journal = try JournalFile(store: store, name: name, writer: writer, sequence: sequence) else { return }
    try journal.read(isFinal: isFinal, end: end) { finding in
      switch finding {
      case .tornTail(let offset, let bytes): if isFinal { torn.append((name, offset, bytes)) }
      case .damage(let offset, let message):
        damage.append(Damage(file: name, offset: offset, calls: openCalls, message: message))
      }
    } _: { record in
      let problem = try tape.apply(record, file: name, sequence: sequence, hasPrevious: hasPrevious) { _ in }
      if let problem {
        damage.append(
          Damage(file: name, offset: record.offset, calls: problem.call.map { [$0] } ?? [], message: problem.message))
      }
    }
    if journal.isRefused { refused.insert(sequence) }
  }

  /// The writer is gone: what has no end is lost.
  func finish() throws {
    let tracks = try tape.loseAll { _ in }
    lost.formUnion(tracks.map(\.id))
    ready += tracks
  }

  func takeReady() -> [CallTrack] {
    defer { ready = [] }
    return ready
  }

  /// Calls without end so far.
  var openTracks: [CallTrack] { tape.tracks.values.sorted { $0.number < $1.number } }
  private var openCalls: [CallID] { openTracks.map(\.id) }
}

/// The journals that are there, and which of them still grow.
struct JournalListing {
  /// Sequences of each writer, rising.
  private(set) var writers: [CallID: [Int]] = [:]

  init(store: Store) throws(FileError) {
    for name in try store.archiveFiles() {
      if let journal = JournalFormat.parse(fileName: name) {
        writers[journal.writer, default: []].append(journal.sequence)
      }
    }
    for id in writers.keys { writers[id]?.sort() }
  }

  /// True while the writer may append to its last journal. All others of it are closed.
  static func isAlive(_ writer: CallID, last: Int, store: Store) throws(FileError) -> Bool {
    var last = last
    while true {
      let name = JournalFormat.fileName(writer: writer, sequence: last)
      guard let journal = try JournalFile(store: store, name: name, writer: writer, sequence: last, chunk: 16) else {
        return false
      }
      if try journal.isHeld() { return true }
      // A writer lets go of a journal when the next one is there.
      let next = JournalFormat.fileName(writer: writer, sequence: last + 1)
      guard try store.hasArchiveFile(next) else { return false }
      last += 1
    }
  }
}
