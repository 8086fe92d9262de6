package import Logging
package import TapeArchive
internal import TapeCatalogue
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Derives the catalogue from the archive: the only writer of `catalogue.sqlite`.
///
/// Idempotent and crash-safe: whatever was interrupted, the next run brings the catalogue to what the archive says.
package struct Indexer: Sendable {
  let store: Store
  let log: Logger
  /// How long a run waits for another one to finish.
  var patienceMs = 30_000
  /// How often a follower looks.
  var pollMs = 100
  private let shouldLeave: @Sendable () -> Bool

  /// - Parameter shouldLeave: asked all the time when an update or the end of following has much to do; once it says so,
  ///   the rest is left to the next run.
  package init(store: Store, log: Logger, leavingWhen shouldLeave: @escaping @Sendable () -> Bool = { false }) {
    self.store = store
    self.log = log
    self.shouldLeave = shouldLeave
  }

  private var lockPath: String { store.path + "/" + Catalogue.lockName }
  private var scratchPath: String { store.cataloguePath + ".rebuild" }

  /// Indexes what is new, or everything with `rebuild`. When another process follows the archive already, waits
  /// until that one has caught up.
  ///
  /// - Throws: `TapeError` `.locked` if another process keeps the catalogue; `.catalogueStale` if the catalogue is
  ///   damaged or of another version and `rebuild` is not asked for.
  @discardableResult
  package func run(rebuild: Bool = false, progress: (IndexProgress) -> Void = { _ in }) throws -> IndexReport {
    guard let lock = try acquire(rebuild: rebuild) else { return try leaveToFollower() }
    // Of a rebuild that was killed.
    discardScratch()
    return try withExtendedLifetime(lock) {
      rebuild ? try self.rebuild(progress) : try update(progress)
    }
  }

  /// Indexes what is new and then what comes, within a fraction of a second, until `shouldStop` says so; then once
  /// more, so that nothing recorded before the stop is missing, as far as there is time for it.
  ///
  /// While another process follows the archive, this one waits to take over. A failure (disk full, say) is logged and
  /// tried again; the archive keeps what the catalogue has not.
  ///
  /// - Throws: `TapeError` `.catalogueStale` as in `run`.
  package func follow(until shouldStop: () -> Bool) throws {
    guard let lock = waitForLock(until: shouldStop) else { return }
    try withExtendedLifetime(lock) {
      var following: Following?
      var scrubbing = CatalogueScrub(store: store, log: log)
      var failures = 0
      var stopping = false
      while true {
        do {
          let now = try following.flatMap { $0.writer.isInPlace ? $0 : nil } ?? openFollowing(again: following != nil)
          following = now
          try scrubbing.look()
          if stopping {
            try now.session.catchUp(leavingWhen: shouldLeave) { _ in }
            try scrubbing.clean(now.writer, waiting: false)
            return try now.writer.close()
          }
          while try now.session.pass(refreshAll: false, leavingWhen: shouldLeave, { _ in }), !shouldStop() {}
          try scrubbing.clean(now.writer, waiting: false)
          failures = 0
        } catch let error as TapeError where error.code == .catalogueStale && following == nil {
          throw error
        } catch {
          failures += 1
          if stopping { throw error }
          if failures == 1 || failures % 100 == 0 { log.error("cannot index, trying again: \(error)") }
          pause(milliseconds: min(failures, 20) * 100)
          following = nil
        }
        stopping = shouldStop()
        if !stopping { pause(milliseconds: pollMs) }
        stopping = shouldStop()
      }
    }
  }

  /// A catalogue being followed: thrown away as a whole after an error.
  private struct Following {
    let writer: CatalogueWriter
    let session: IndexSession
  }

  private func openFollowing(again: Bool) throws -> Following {
    if again {
      log.notice("the catalogue was deleted or replaced: making it again", metadata: ["path": "\(store.cataloguePath)"])
    }
    let writer = try CatalogueWriter(path: store.cataloguePath)
    return Following(writer: writer, session: IndexSession(store: store, writer: writer, log: log))
  }

  /// The lock of the one follower, as soon as it is free; nil if told to stop first.
  private func waitForLock(until shouldStop: () -> Bool) -> CatalogueLock? {
    var hasSaidSo = false
    while !shouldStop() {
      if let lock = try? CatalogueLock.attempt(path: lockPath, purpose: .follow) { return lock }
      if !hasSaidSo, let holder = CatalogueLock.holder(path: lockPath), holder.purpose == .follow {
        log.notice(
          "\(Self.name(holder)) keeps the catalogue of \(store.path) up to date; this one takes over when it ends")
        hasSaidSo = true
      }
      pause(milliseconds: 200)
    }
    return nil
  }

  private func update(_ progress: (IndexProgress) -> Void) throws -> IndexReport {
    var scrubbing = CatalogueScrub(store: store, log: log)
    try scrubbing.look()
    let writer = try CatalogueWriter(path: store.cataloguePath)
    let session = IndexSession(store: store, writer: writer, log: log)
    try session.catchUp(leavingWhen: shouldLeave, progress)
    try scrubbing.clean(writer, waiting: true)
    try writer.close()
    return session.report
  }

  /// Builds a new catalogue beside the old one, which serves readers until the new one is whole.
  private func rebuild(_ progress: (IndexProgress) -> Void) throws -> IndexReport {
    discardScratch()
    defer { discardScratch() }
    var scrubbing = CatalogueScrub(store: store, log: log)
    try scrubbing.look()
    let writer = try CatalogueWriter(path: scratchPath, scratch: true)
    let session = IndexSession(store: store, writer: writer, log: log)
    try session.catchUp(progress)
    try writer.install(at: store.cataloguePath)
    try writer.close()
    if scrubbing.isNeeded {
      let installed = try CatalogueWriter(path: store.cataloguePath)
      try scrubbing.clean(installed, waiting: true)
      try installed.close()
    }
    return session.report
  }

  private func discardScratch() {
    for suffix in ["", "-wal", "-shm", "-journal"] { unlink(scratchPath + suffix) }
  }

  /// The lock; nil if a follower has it, which does the work, or it is time to leave.
  private func acquire(rebuild: Bool) throws -> CatalogueLock? {
    var waited = 0
    while true {
      if let lock = try CatalogueLock.attempt(path: lockPath, purpose: .run) { return lock }
      if shouldLeave() { return nil }
      let holder = CatalogueLock.holder(path: lockPath)
      if let holder, holder.purpose == .follow {
        guard rebuild else { return nil }
        throw TapeError(
          .locked,
          "cannot rebuild the catalogue of \(store.path) while process \(holder.process) follows it: stop that one first"
        )
      }
      if waited >= patienceMs {
        throw TapeError(
          .locked, "\(Self.name(holder)) has been indexing \(store.path) for \(waited / 1000) s: try later")
      }
      if waited == 1000 { log.notice("waiting for \(Self.name(holder)), which is indexing \(store.path)") }
      pause(milliseconds: 50)
      waited += 50
    }
  }

  private static func name(_ holder: CatalogueLock.Holder?) -> String {
    holder.map { "process \($0.process)" } ?? "another process"
  }

  /// Waits until the follower has come to what the archive is now.
  private func leaveToFollower() throws -> IndexReport {
    var report = IndexReport()
    report.leftTo = CatalogueLock.holder(path: lockPath)?.process ?? 0
    let wanted = try SourceFile.list(store)
    for _ in 0..<60 {
      if shouldLeave() || (try? isIndexed(wanted)) == true { break }
      pause(milliseconds: 50)
    }
    return report
  }

  private func isIndexed(_ files: [SourceFile]) throws -> Bool {
    var indexed: [String: (bytes: Int?, modifiedNs: Int?)] = [:]
    let sql = "SELECT file, indexed_bytes, modified_ns FROM sources"
    try CatalogueReader(path: store.cataloguePath).query(sql) { row in
      indexed[row.text(0) ?? ""] = (row.integer(1), row.integer(2))
    }
    // A journal that is gone by now was sealed, and is in a segment that the follower takes next.
    return files.allSatisfy { file in
      guard let known = indexed[file.name] else { return false }
      if file.kind == .segment { return known.modifiedNs == file.modifiedNs.map(Int.init) }
      return known.bytes ?? -1 >= file.bytes
    }
  }

  private func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }
}
