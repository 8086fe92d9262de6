package import Logging
package import TapeArchive
internal import TapeCatalogue
package import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Erases calls from archive and catalogue, beside recorders and readers.
package struct Erasure: Sendable {
  private let store: Store
  private let log: Logger
  /// How long recorders are waited for to begin their next journals.
  var patienceMs = 15_000
  /// How long another process that keeps the catalogue is waited for.
  var cataloguePatienceMs = 120_000

  package init(store: Store, log: Logger) {
    self.store = store
    self.log = log
  }

  /// The calls of a target, in the order of their start; none that are erased already.
  ///
  /// - Throws: `TapeError` `.erased` for the one call that is; `.io`, `.locked`.
  package func find(_ target: ErasureTarget) throws -> [ErasableCall] {
    try ErasureSearch(store: store, log: log, target: target).find()
  }

  /// Erases what can be erased now, and notes the rest for whoever seals or indexes next.
  ///
  /// Without calls it goes on with what was asked for before.
  package func erase(_ ids: [CallID], keepUsage: Bool = false) throws -> ErasureReport {
    let eraser = Eraser(store: store, log: log, keeper: KeepUsage.keeper)
    let before = catalogueBytes
    var report = try eraser.erase(ids, keepUsage: keepUsage)
    var waited = 0
    while !journals(of: report).isEmpty, waited < patienceMs {
      usleep(100_000)
      waited += 100
      guard try hasMoved(journals(of: report)) else { continue }
      report.add(try eraser.erase([]))
    }
    if report.pending.contains(where: { $0.reason == .catalogue }) { try cleanCatalogue(&report) }
    report.bytesFreed += before - catalogueBytes
    return report
  }

  // MARK: Recorders

  private func journals(of report: ErasureReport) -> Set<String> {
    Set(
      report.pending.compactMap { item in
        if case .journal(let name) = item.reason { name } else { nil }
      })
  }

  /// A recorder has begun its next journal, or has ended.
  private func hasMoved(_ names: Set<String>) throws -> Bool {
    let live = Set(try ArchiveReader(store: store).files().filter(\.isLive).map(\.name))
    return !names.isSubset(of: live)
  }

  // MARK: The catalogue

  /// Brings the catalogue up to date; one that cannot be used is made again, as it may have what is to go.
  static func index(_ store: Store, _ log: Logger) throws {
    do {
      try Indexer(store: store, log: log).run()
    } catch let error as TapeError where error.code == .catalogueStale {
      log.notice("making the catalogue again: \(error)")
      try Indexer(store: store, log: log).run(rebuild: true)
    }
  }

  private func cleanCatalogue(_ report: inout ErasureReport) throws {
    try Self.index(store, log)
    var waited = 0
    while true {
      let left = try Set(ErasureList.pending(in: store).filter(\.isOutOfArchive).map(\.id))
      report.pending.removeAll { $0.reason == .catalogue && !left.contains($0.id) }
      guard report.pending.contains(where: { $0.reason == .catalogue }), waited < cataloguePatienceMs,
        CatalogueLock.holder(path: store.path + "/" + Catalogue.lockName) != nil
      else { return }
      usleep(100_000)
      waited += 100
    }
  }

  private var catalogueBytes: Int {
    ["", "-wal"].reduce(0) { $0 + (((try? store.files.status(store.cataloguePath + $1)) ?? nil)?.bytes ?? 0) }
  }
}
