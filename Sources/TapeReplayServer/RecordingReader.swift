internal import TapeArchive
internal import TapeLoop
internal import TapeTypes

/// Reads recordings. Many clients that start together ask for neighbours. A block of a segment is decoded at once in the
/// time of a dozen single calls: so from the second call on all of it is, and kept for a moment. Calls of a journal lie
/// in between each other: those that are asked for meanwhile are read in one pass.
///
/// Used by one thread at a time.
final class RecordingReader {
  private let archive: ArchiveReader
  private var block: (location: CallLocation, calls: [CallID: RecordedCall])?
  private var last: (location: CallLocation, readNs: Int64)?

  /// Calls that are read within this time are read together.
  private static let togetherNs: Int64 = 1_000_000_000

  init(_ archive: ArchiveReader) { self.archive = archive }

  /// Reads what several clients wait for.
  ///
  /// - Parameter answer: is called once for each of `choices`.
  func read(
    _ choices: [Recordings.Choice], _ answer: (Recordings.Choice, Result<RecordedCall, any Error>) -> Void
  ) {
    var together: [CallID: RecordedCall] = [:]
    for (file, choices) in Dictionary(grouping: choices, by: \.location.file) where choices.count > 1 {
      let offsets = Dictionary(choices.map { ($0.id, $0.location.offset) }, uniquingKeysWith: { first, _ in first })
      // What fails is tried again one by one, and said then.
      together.merge((try? archive.calls(inJournal: file, at: offsets)) ?? [:]) { first, _ in first }
    }
    for choice in choices {
      answer(choice, Result { try together.removeValue(forKey: choice.id) ?? call(choice) })
    }
  }

  /// - Throws: as `ArchiveReader.call`.
  private func call(_ choice: Recordings.Choice) throws -> RecordedCall {
    let now = MonotonicClock.nowNs
    let isNeighbour = last.map { $0.location == choice.location && now - $0.readNs < Self.togetherNs } ?? false
    last = (choice.location, now)
    if !isNeighbour { block = nil }
    guard isNeighbour, choice.location.file.hasSuffix(".zst") else { return try alone(choice) }
    if block?.location != choice.location { block = (choice.location, decoded(choice.location)) }
    return try block?.calls.removeValue(forKey: choice.id) ?? alone(choice)
  }

  /// Lets go of what nobody has asked for in time.
  func rest() {
    if let last, MonotonicClock.nowNs - last.readNs >= Self.togetherNs { block = nil }
  }

  private func alone(_ choice: Recordings.Choice) throws -> RecordedCall {
    try archive.call(at: choice.location, id: choice.id)
  }

  /// Nothing where the block cannot be read as a whole.
  private func decoded(_ location: CallLocation) -> [CallID: RecordedCall] {
    var calls: [CallID: RecordedCall] = [:]
    do {
      try archive.neighbours(of: location) { call, _ in calls[call.open.id] = call }
    } catch {
      return [:]
    }
    return calls
  }
}
