package import Logging
package import TapeTypes

/// Erases calls: a tombstone with the leaf hash is all that the archive keeps of each.
///
/// Works beside recorders. A call that still streams is erased when it ends and its journal is closed, by whoever seals
/// next; `archive/erasures` remembers it.
package struct Eraser: Sendable {
  private let store: Store
  private let log: Logger
  private let sealer: Sealer

  /// - Parameter keeper: makes what stays of a call's usage (`--keep-usage`).
  package init(store: Store, log: Logger, clock: any TapeClock = SystemClock(), keeper: UsageKeeper?) {
    self.store = store
    self.log = log
    sealer = Sealer(store: store, log: log, clock: clock, keeper: keeper)
  }

  /// Notes that these calls are to be erased, and erases what can be erased now. Without calls it goes on with what was
  /// asked for before.
  ///
  /// - Throws: `TapeError` `.locked`, `.readOnly`, `.io`, `.failed`, `.newerVersion`; what was noted by then is done later.
  package func erase(_ ids: some Sequence<CallID>, keepUsage: Bool = false) throws -> ErasureReport {
    guard let lock = try store.lock(wait: true) else {
      throw TapeError(.locked, "another process seals, repacks or erases in \(store.path); try again when it is done")
    }
    defer { lock.release() }
    return try Sealer.wrapping(store) {
      var list = try ErasureList(store)
      let before = list
      for id in ids { list.add(id, askedAtNs: sealer.clock.wallNs(), keepsUsage: keepUsage) }
      if list != before { try list.write(to: store) }
      let seal = try sealer.seal(Erasing(list: list, nowNs: sealer.clock.wallNs(), keeper: sealer.keeper))
      var pass = ErasurePass(store: store, sealer: sealer, list: list, log: log)
      try pass.finish(after: seal, isFirst: list != before)
      return pass.report
    }
  }

  /// Takes calls off the list: the catalogue has nothing of them any more.
  ///
  /// - Returns: false if another process has the store's lock and this one does not wait.
  package static func catalogueIsClean(of ids: Set<CallID>, in store: Store, waiting: Bool) throws -> Bool {
    guard let lock = try store.lock(wait: waiting) else { return false }
    defer { lock.release() }
    try Sealer.wrapping(store) {
      var list = try ErasureList(store)
      for id in ids where list[id]?.isOutOfArchive == true { list[id] = nil }
      try list.write(to: store)
    }
    return true
  }

  /// Goes on with what was asked for and could not be done because this process recorded the calls: for when it has
  /// closed its journal. Without anything asked for it does nothing.
  ///
  /// - Parameter shouldStop: see `Sealer`.
  package static func finish(
    in store: Store, log: Logger, keeper: UsageKeeper? = nil,
    until shouldStop: (@Sendable () -> Bool)? = nil
  ) {
    do {
      guard try !ErasureList.pending(in: store).allSatisfy(\.isOutOfArchive) else { return }
      _ = try Sealer(store: store, log: log, keeper: keeper, until: shouldStop).seal()
    } catch {
      log.error("an erasure is not finished, and is left to the next seal: \(error)")
    }
  }
}
