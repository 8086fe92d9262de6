internal import Logging
internal import TapeArchive
internal import TapeCatalogue
internal import TapeTypes

/// The catalogue's part in erasures: when the archive has no more than tombstones of the calls, and the catalogue has
/// taken that in, it is cleaned, and the calls come off the list of what is to be erased.
struct CatalogueScrub {
  private let store: Store
  private let log: Logger
  /// Calls that wait for the catalogue alone.
  private var waiting: Set<CallID> = []
  /// Those of them that it was cleaned of, but that are still on the list.
  private var cleaned: Set<CallID> = []

  init(store: Store, log: Logger) {
    self.store = store
    self.log = log
  }

  var isNeeded: Bool { !waiting.isEmpty }

  /// Sees what there is to do. Before the archive is looked at: what is listed now is a tombstone there.
  mutating func look() throws {
    waiting = try Set(ErasureList.pending(in: store).filter(\.isOutOfArchive).map(\.id))
    if waiting.isEmpty { cleaned = [] }
  }

  /// Does it. Behind an index run that took in what the archive has.
  ///
  /// - Parameter waiting: for a lock that another process has; a follower comes again.
  mutating func clean(_ writer: CatalogueWriter, waiting waits: Bool) throws {
    guard isNeeded else { return }
    let rest = waiting.subtracting(cleaned)
    if !rest.isEmpty {
      try writer.transaction { transaction in
        for id in rest { try transaction.removeUnlessKept(id) }
      }
      guard try writer.scrub() else {
        log.warning("a reader of the catalogue holds old changes; they are cleaned when it has ended")
        return
      }
      cleaned.formUnion(rest)
    }
    guard try Eraser.catalogueIsClean(of: waiting, in: store, waiting: waits) else { return }
    waiting = []
    cleaned = []
  }
}
