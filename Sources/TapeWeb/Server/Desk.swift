internal import CTapeShims
internal import HTTPTypes
internal import NIOPosix
internal import Synchronization
internal import TapeArchive
internal import TapeQuery
internal import TapeTypes

/// Asks the store on threads of its own, as SQLite and zstd block: a few questions at once, some more wait, and what is
/// beyond is refused instead of piling up.
final class Desk: Sendable {
  private static let threads = 4
  private static let mostWaiting = 128
  /// Of a condition that somebody wrote, without a call found: some two seconds.
  private static let mostSteps = 200_000_000

  private struct State: Sendable {
    var idle: [QueryEngine] = []
    var waiting = 0
  }

  let store: Store
  private let pool = NIOThreadPool(numberOfThreads: Desk.threads)
  private let state = Mutex(State())

  init(store: Store) {
    self.store = store
    pool.start()
  }

  /// Another one when the catalogue was written to.
  var catalogueStamp: String {
    ["", "-wal"].map { end in
      let status = try? store.files.status(store.cataloguePath + end)
      return "\(status?.bytes ?? -1) \(status?.modifiedNs ?? 0)"
    }.joined(separator: " ")
  }

  func close() async { try? await pool.shutdownGracefully() }

  /// - Throws: what `body` throws, `TapeError` without a catalogue, `WebError` 503 when too many wait.
  func ask<Answer: Sendable>(_ body: @escaping @Sendable (QueryEngine) throws -> Answer) async throws -> Answer {
    try await run { [self] in
      let engine = try state.withLock({ $0.idle.popLast() }) ?? QueryEngine(store: store, mostSteps: Self.mostSteps)
      // One that failed is not used again: whatever was wrong with its file, the next one looks at it afresh.
      let answer = try body(engine)
      state.withLock { $0.idle.append(engine) }
      return answer
    }
  }

  /// Who adds up a million calls leaves much memory behind that the allocator would keep for this thread.
  private static func giveBack(after duration: Duration) {
    if duration > .milliseconds(100) { tape_give_back_memory() }
  }

  /// Blocking work that needs no catalogue.
  func run<Answer: Sendable>(_ body: @escaping @Sendable () throws -> Answer) async throws -> Answer {
    try state.withLock { state in
      guard state.waiting < Self.mostWaiting else {
        throw WebError(.serviceUnavailable, "busy", "too many requests wait for an answer: try again in a moment")
      }
      state.waiting += 1
    }
    defer { state.withLock { $0.waiting -= 1 } }
    return try await pool.runIfActive {
      let start = ContinuousClock.now
      defer { Self.giveBack(after: ContinuousClock.now - start) }
      return try body()
    }
  }
}
