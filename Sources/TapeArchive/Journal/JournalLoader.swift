internal import TapeTypes

/// Reads calls whose records are known out of the journals of a writer.
struct JournalLoader {
  let store: Store
  let writer: CallID

  /// More calls than this are not loaded together.
  static let mostCalls = 1 << 12

  /// A call while its records come in.
  private final class Loading {
    let tape = WriterTape()
    var builder: CallBuilder
    /// One of its journals is gone.
    var isGone = false

    init(_ places: JournalPlaces) { builder = CallBuilder(frames: places.frames, bytes: places.bytes) }
  }

  /// The calls in their order, nil where a journal is gone. Each journal is read once, from front to back: the
  /// records of calls that streamed together lie among each other.
  func load(_ wantedCalls: [JournalPlaces]) throws(FileError) -> [RecordedCall?] {
    let calls = wantedCalls.map { Loading($0) }
    // Offset and call in one number, which is what is sorted fastest.
    var wanted: [Int: [Int]] = [:]
    for (number, places) in wantedCalls.enumerated() {
      places.records.forEachJournal { sequence, offsets in
        wanted[sequence, default: []].append(contentsOf: offsets.lazy.map { $0 << 12 | number })
      }
    }
    for (sequence, places) in wanted.sorted(by: { $0.key < $1.key }) {
      try read(sequence, calls.count > 1 ? places.sorted() : places, into: calls)
    }
    return calls.map { call in
      if call.isGone { return nil }
      _ = try? call.tape.loseAll { call.builder.take($0) }
      return call.builder.call
    }
  }

  private func read(_ sequence: Int, _ places: [Int], into calls: [Loading]) throws(FileError) {
    let name = JournalFormat.fileName(writer: writer, sequence: sequence)
    let chunk = Self.chunk(for: places)
    guard let journal = try JournalFile(store: store, name: name, writer: writer, sequence: sequence, chunk: chunk)
    else {
      for place in places { calls[place & (Self.mostCalls - 1)].isGone = true }
      return
    }
    journal.cursor.refresh(limit: try journal.size())
    for place in places {
      journal.cursor.seek(place >> 12)
      guard case .record(let record) = try journal.cursor.next() else { continue }
      let call = calls[place & (Self.mostCalls - 1)]
      _ = try? call.tape.apply(record, file: name, sequence: sequence, hasPrevious: true) { call.builder.take($0) }
    }
  }

  /// How much is read at once: much where the records lie close together, little where most of it would be read in vain.
  private static func chunk(for places: [Int]) -> Int {
    guard let first = places.first, let last = places.last else { return 4096 }
    let span = (last - first) >> 12 + 4096
    return span / places.count <= 8192 ? min(span, 256 << 10) : 4096
  }
}
