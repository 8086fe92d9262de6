package import Logging
package import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What a seal did.
package struct SealReport: Sendable, Equatable {
  /// Names of the segments that were made.
  package var segments: [String] = []
  package var sealedCalls = 0
  /// Of these, calls that an erasure had asked for: what was sealed is their tombstones.
  package var erasedCalls: [CallID] = []
  package var lostCalls: [CallID] = []
  package var deletedJournals: [String] = []
  /// Files that the torn tails of journals were set aside in.
  package var torn: [String] = []
  package var damage: [Damage] = []
  /// Calls that cannot be sealed, and why: they stay in the journals that are named.
  package var unsealed: [Damage] = []
  /// Bytes of requests and responses that were sealed.
  package var rawBytes = 0
  package var segmentBytes = 0
  /// It was told to stop: what was not sealed by then is in journals, for the next seal.
  package var wasStopped = false

  package init() {}
}

/// Turns closed journals into segments, also those of writers that died.
///
/// A journal is removed when all of its calls are in segments that were read back, compared
/// and synced; so an interrupted seal loses nothing, and the next one redoes it.
package struct Sealer {
  private let store: Store
  let level: Int
  private let log: Logger
  let keeper: UsageKeeper?
  let clock: any TapeClock
  private let shouldStop: (@Sendable () -> Bool)?

  /// - Parameters:
  ///   - keeper: makes what a tombstone keeps where an erasure asked for that. Without one, such calls stay in their
  ///     journals until someone seals who has one.
  ///   - shouldStop: asked all the time; once it says so, the segment at work is given up, and what is not sealed stays
  ///     in its journals.
  package init(
    store: Store, level: Int = 9, log: Logger, clock: any TapeClock = SystemClock(), keeper: UsageKeeper? = nil,
    until shouldStop: (@Sendable () -> Bool)? = nil
  ) {
    self.store = store
    self.level = level
    self.log = log
    self.clock = clock
    self.keeper = keeper
    self.shouldStop = shouldStop
  }

  /// Seals what has ended, and goes on with erasures that were asked for. Waits for another seal to end.
  ///
  /// - Throws: `TapeError` `.locked`, `.readOnly`, `.io`, `.corrupt`.
  package func seal() throws -> SealReport {
    guard let lock = try lock() else {
      var report = SealReport()
      report.wasStopped = true
      return report
    }
    defer { lock.release() }
    return try Self.wrapping(store) {
      let erasures = try ErasureList(store)
      let report = try seal(Erasing(list: erasures, nowNs: clock.wallNs(), keeper: keeper))
      guard !erasures.inArchive.isEmpty, !report.wasStopped else { return report }
      var pass = ErasurePass(store: store, sealer: self, list: erasures, log: log)
      try pass.finish(after: report, isFirst: false)
      return report
    }
  }

  /// nil if it was told to stop before the store was free.
  private func lock() throws -> StoreLock? {
    if let shouldStop {
      while !shouldStop() {
        if let lock = try store.lock(wait: false) { return lock }
        usleep(50_000)
      }
      return nil
    }
    if let lock = try store.lock(wait: true) { return lock }
    throw TapeError(.locked, "another process seals, repacks or erases in \(store.path); try again when it is done")
  }

  /// The same, by who holds the store's lock.
  func seal(_ erasing: Erasing) throws -> SealReport {
    var run = SealRun(store: store, level: level, log: log, erasing: erasing, shouldStop: shouldStop ?? { false })
    try store.removeLeftovers(log: log)
    let journals = try JournalListing(store: store)
    for (writer, sequences) in journals.writers.sorted(by: { $0.key < $1.key }) {
      try run.scan(writer, sequences)
    }
    try run.finish()
    var report = run.report
    report.damage += try store.archiveIntruders() + erasing.list.damage
    return report
  }

  /// What went wrong below, as an error for people.
  static func wrapping<T>(_ store: Store, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as FileError {
      throw TapeError(
        error.isReadOnly ? .readOnly : .io,
        "cannot seal \(store.archivePath): \(error.reason) (\(error.doing)); the journals are kept")
    } catch let error as BlockError {
      throw TapeError(.failed, "cannot seal \(store.archivePath): \(error); the journals are kept")
    } catch let error as UnsealableCalls {
      throw TapeError(.failed, "cannot seal \(store.archivePath): \(error); the journals are kept")
    } catch let error as ZstdError {
      throw TapeError(.failed, "cannot seal \(store.archivePath): \(error); the journals are kept")
    }
  }
}
