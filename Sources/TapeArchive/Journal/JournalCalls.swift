internal import TapeTypes

/// Reads calls out of the journals of their writer, in one pass from the first of their open records on: those that went
/// on at the same time lie in between each other.
struct JournalCalls {
  let store: Store
  let writer: CallID

  /// Where an open record lies.
  struct Place: Comparable {
    var sequence: Int
    var offset: Int

    static func < (left: Place, right: Place) -> Bool {
      (left.sequence, left.offset) < (right.sequence, right.offset)
    }
  }

  /// - Parameter wanted: the calls, and where their open records lie.
  /// - Returns: those that do lie there.
  /// - Throws: `FileError`; `TapeError` `.corrupt` for a journal that is none.
  func read(_ wanted: [CallID: Place]) throws -> [CallID: RecordedCall] {
    guard let first = wanted.values.min() else { return [:] }
    var pass = JournalPass(wanted)
    var sequence = first.sequence
    let sequences = try JournalListing(store: store).writers[writer] ?? []
    let ends = try JournalEnds(store: store, writer: writer, sequences: sequences.filter { $0 >= sequence })
    while !pass.isDone {
      let name = JournalFormat.fileName(writer: writer, sequence: sequence)
      guard let journal = try JournalFile(store: store, name: name, writer: writer, sequence: sequence) else { break }
      let size = try journal.size()
      journal.cursor.refresh(limit: min(size, ends[sequence] ?? size))
      if sequence == first.sequence { journal.cursor.seek(first.offset) }
      if try journal.isHeld() { journal.cursor.refresh(limit: try journal.cursor.committedEnd()) }
      while !pass.isDone {
        guard case .record(let record) = try journal.cursor.next() else {
          guard try journal.cursor.resync() else { break }
          continue
        }
        try pass.take(record, file: name, sequence: sequence)
      }
      sequence += 1
    }
    return try pass.finish(
      isLive: { try JournalListing.isAlive(writer, last: max(first.sequence, sequence - 1), store: store) })
  }
}

/// The calls that one pass looks for.
private struct JournalPass {
  private let tape = WriterTape()
  /// Those whose open records were not reached yet, the next one last.
  private var ahead: [(place: JournalCalls.Place, id: CallID)]
  /// Those that are being read.
  private var builders: [CallID: CallBuilder] = [:]
  private var numbers: [Int: CallID] = [:]
  private var calls: [CallID: RecordedCall] = [:]

  init(_ wanted: [CallID: JournalCalls.Place]) {
    ahead = wanted.map { ($0.value, $0.key) }.sorted { $0.place > $1.place }
  }

  var isDone: Bool { ahead.isEmpty && numbers.isEmpty }

  mutating func take(_ record: JournalRecord, file: String, sequence: Int) throws {
    let here = JournalCalls.Place(sequence: sequence, offset: record.offset)
    var fields = record.fields
    guard let kind = record.kind, kind != .journal, kind != .batch, let number = fields.count() else { return }
    while let next = ahead.last, next.place <= here {
      ahead.removeLast()
      if next.place == here, kind == .open, fields.callID() == next.id { numbers[number] = next.id }
    }
    guard let id = numbers[number] else { return }
    _ = try tape.apply(record, file: file, sequence: sequence, hasPrevious: true) { event in
      builders[id, default: CallBuilder()].take(event)
      switch event {
      case .ended, .lost: numbers[number] = nil
      default: break
      }
    }
    if numbers[number] == nil, let call = builders.removeValue(forKey: id)?.call { calls[id] = call }
  }

  /// - Parameter isLive: whether calls without an end may go on.
  mutating func finish(isLive: () throws -> Bool) throws -> [CallID: RecordedCall] {
    _ = try tape.loseAll { event in
      switch event {
      case .frame(let id, offsetNs: _, _), .lost(let id, _): builders[id]?.take(event)
      default: break
      }
    }
    for (id, builder) in builders { calls[id] = builder.call }
    for (id, call) in calls where call.end == nil { calls[id]?.isLive = try isLive() }
    return calls
  }
}
