internal import Dispatch
internal import Synchronization
internal import TapeArchive
internal import TapeTypes

/// A thread that reads recordings, and all those together that came to wait while it read others.
///
/// The reader is used on that thread alone, hence `@unchecked`.
final class ReadingLane: @unchecked Sendable {
  typealias Answer = @Sendable (Result<PlayedCall, TapeError>) -> Void

  private let queue: DispatchQueue
  private let reader: RecordingReader
  private let waiting = Mutex<[(choice: Recordings.Choice, answer: Answer)]>([])

  init(_ number: Int, _ archive: ArchiveReader, _ shelf: BlockShelf) {
    // What is being played goes first: it has its times.
    queue = DispatchQueue(label: "tapedeck.replay.read.\(number)", qos: .utility)
    reader = RecordingReader(archive, shelf)
  }

  /// Calls `answer` on the thread.
  func read(_ choice: Recordings.Choice, _ answer: @escaping Answer) {
    waiting.withLock { $0.append((choice, answer)) }
    queue.async { [self] in readWaiting() }
  }

  private func readWaiting() {
    let waiting = waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    // An earlier turn took them all, mostly.
    guard !waiting.isEmpty else { return }
    var answers = Dictionary(grouping: waiting, by: \.choice.id)
    reader.read(waiting.map(\.choice)) { choice, result in
      let result = result.mapError { error in
        error as? TapeError ?? TapeError(.failed, "cannot read call \(choice.id): \(error)")
      }
      for wait in answers.removeValue(forKey: choice.id) ?? [] { wait.answer(result) }
    }
  }
}
