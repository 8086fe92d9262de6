package import Logging
package import TapeArchive
internal import TapeCatalogue
internal import TapeTypes

/// Derives the catalogue from the archive: the only writer of `catalogue.sqlite`.
///
/// Idempotent and crash-safe: whatever was interrupted, the next run brings the catalogue to what the archive says.
package struct Indexer: Sendable {
  let store: Store
  let log: Logger

  package init(store: Store, log: Logger) {
    self.store = store
    self.log = log
  }

  /// Indexes what is new, or everything with `rebuild`. When another process follows the archive already, waits
  /// until that one has caught up.
  @discardableResult
  package func run(rebuild: Bool = false, progress: (IndexProgress) -> Void = { _ in }) throws -> IndexReport {
    IndexReport()
  }

  /// Indexes what is new and then what comes, within a fraction of a second, until `shouldStop` says so.
  package func follow(until shouldStop: () -> Bool) throws {}
}

/// What a run did.
package struct IndexReport: Sendable, Equatable {
  /// Calls written, new or changed.
  package var calls = 0
  /// Calls of which only the place in the archive changed.
  package var movedCalls = 0
  package var removedCalls = 0
  package var segments = 0
  package var journals = 0
  /// Response bytes of the calls written.
  package var rawBytes = 0
  package var damage: [Damage] = []
  /// Set when another process indexes this store for as long as it lives, and this run left it to that one.
  package var leftTo: Int32?

  package init() {}
}

/// How far a run is.
package struct IndexProgress: Sendable, Equatable {
  package var doneBytes: Int
  package var totalBytes: Int
  package var calls: Int
}
