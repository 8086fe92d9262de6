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
  /// What takes longer is kept.
  private static let shortWork = Duration.milliseconds(50)
  /// A file that changed less long ago may change once more without it being seen in its time.
  private static let restNs: Int64 = 1_000_000_000

  private struct State: Sendable {
    var idle: [(engine: QueryEngine, prices: String)] = []
    var waiting = 0
    var pages = KeptPages()
  }

  let store: Store
  let fileCounts = FileCounts()
  private let pool = NIOThreadPool(numberOfThreads: Desk.threads)
  private let state = Mutex(State())

  init(store: Store) {
    self.store = store
    pool.start()
  }

  /// Another one when the catalogue was written to; nil while that may not be seen, right after it was.
  var catalogueStamp: String? { stamp(["", "-wal"].map { store.cataloguePath + $0 }) }

  /// The same for the prices of the store.
  private var priceStamp: String? {
    stamp([StorePrices.tableName, StorePrices.overridesName].map { "\(store.path)/\($0)" })
  }

  private func stamp(_ paths: [String]) -> String? {
    let statuses = paths.map { try? store.files.status($0) }
    let latest = statuses.compactMap { $0?.modifiedNs }.max() ?? 0
    guard SystemClock().wallNs() - latest > Self.restNs else { return nil }
    return statuses.map { "\($0?.bytes ?? -1) \($0?.modifiedNs ?? 0)" }.joined(separator: " ")
  }

  func close() async { try? await pool.shutdownGracefully() }

  /// - Throws: what `body` throws, `TapeError` without a catalogue, `WebError` 503 when too many wait.
  func ask<Answer: Sendable>(_ body: @escaping @Sendable (QueryEngine) throws -> Answer) async throws -> Answer {
    try await run { [self] in
      let prices = priceStamp
      let idle = state.withLock { state in
        // It has read the prices that were there before.
        state.idle.removeAll { $0.prices != prices }
        return state.idle.popLast()?.engine
      }
      let engine = try idle ?? QueryEngine(store: store, mostSteps: Self.mostSteps)
      // One that failed is not used again: whatever was wrong with its file, the next one looks at it afresh.
      let answer = try body(engine)
      if let prices { state.withLock { $0.idle.append((engine, prices)) } }
      return answer
    }
  }

  /// A page that is made anew only if it takes no time, or the catalogue was written to.
  func page(_ key: KeptPages.Key, _ make: () async throws -> HTML) async throws -> HTML {
    let stamp = catalogueStamp.flatMap { catalogue in priceStamp.map { "\(catalogue) \($0)" } }
    guard let stamp else { return try await make() }
    if let page = state.withLock({ $0.pages.page(key, at: stamp) }) { return page }
    let start = ContinuousClock.now
    let page = try await make()
    if ContinuousClock.now - start > Self.shortWork {
      state.withLock { $0.pages.keep(page, for: key, at: stamp) }
    }
    return page
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
