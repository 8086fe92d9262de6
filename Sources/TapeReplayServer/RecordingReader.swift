internal import TapeArchive
internal import TapeLoop
internal import TapeTypes

/// Reads recordings. Many clients that start together ask for neighbours. A block of a segment is decoded at once in the
/// time of a dozen single calls: so from the second call on all of it is, and the next one before it is needed. Calls of a journal lie
/// in between each other: their records are read from where they are known to lie, those of several calls in one go.
///
/// Used by one thread at a time.
final class RecordingReader {
  private let archive: ArchiveReader
  private let shelf: BlockShelf
  private var last: (location: CallLocation, readNs: Int64)?

  /// Calls that are read within this time are read together.
  private static let togetherNs: Int64 = 1_000_000_000
  /// As much of a journal is read before any of it is answered.
  private static let bytesTogether = 4 << 20

  init(_ archive: ArchiveReader, _ shelf: BlockShelf) {
    self.archive = archive
    self.shelf = shelf
  }

  /// Reads what several clients wait for.
  ///
  /// - Parameter answer: is called once for each of `choices`.
  func read(
    _ choices: [Recordings.Choice], _ answer: (Recordings.Choice, Result<PlayedCall, any Error>) -> Void
  ) {
    var rest = choices[...]
    while !rest.isEmpty {
      var bytes = 0
      let group = rest.prefix { choice in
        defer { bytes += choice.places?.bytes ?? 0 }
        return bytes < Self.bytesTogether
      }
      rest = rest[group.endIndex...]
      // Before they are read: what changes meanwhile shall count as changed.
      var statuses: [String: FileStatus] = [:]
      for file in Set(group.map(\.location.file)) { statuses[file] = archive.status(ofFile: file) }
      // What fails is tried again one by one, and said then.
      var together = (try? archive.calls(at: group.compactMap(\.places))) ?? [:]
      for choice in group {
        answer(
          choice,
          Result {
            let call = try together.removeValue(forKey: choice.id) ?? call(choice)
            let file = choice.location.file
            return try PlayedCall(call, source: statuses[file].map { (file, $0) })
          })
      }
    }
  }

  /// - Throws: as `ArchiveReader.call`.
  private func call(_ choice: Recordings.Choice) throws -> RecordedCall {
    let location = choice.location
    guard location.file.hasSuffix(".zst") else { return try alone(choice) }
    if let call = shelf.take(choice.id, at: location) {
      if let ahead = choice.ahead { shelf.fetchAhead(ahead) }
      return call
    }
    let now = MonotonicClock.nowNs
    defer { last = (location, now) }
    guard let last, last.location == location, now - last.readNs < Self.togetherNs else { return try alone(choice) }
    shelf.fetch(location)
    return try shelf.take(choice.id, at: location) ?? alone(choice)
  }

  private func alone(_ choice: Recordings.Choice) throws -> RecordedCall {
    try archive.call(at: choice.location, id: choice.id)
  }
}
