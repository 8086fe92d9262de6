internal import Foundation
internal import Synchronization
package import TapeArchive
internal import TapeCatalogue
internal import TapePricing
internal import TapeTypes

/// Adds up the calls of a store that end while this process runs, whoever records them.
///
/// Each is counted once, when it has ended: what is open is asked for again. Calls that started before are not counted, so
/// that the numbers are those of a process, and begin at 0 as counters of Prometheus do. It reads what is new in the
/// catalogue when it is asked, and holds the keys of the last ten minutes' calls.
package final class CallMeter: Sendable {
  /// A call may be in the catalogue so much later than one that started after it.
  static let windowMs: Int64 = 600_000

  private struct State {
    var totals = CallTotals()
    /// Calls from here on are looked at.
    var fromKey: Int64
    /// Those of them that are counted.
    var counted: Set<Int64> = []
    /// Those that were open, also from before.
    var open: Set<Int64> = []
    var engine: QueryEngine?
  }

  private let store: Store
  private let state: Mutex<State>

  /// - Parameter startMs: calls that started before, in milliseconds since 1970, are not counted.
  package init(store: Store, startMs: Int64 = Int64(Date().timeIntervalSince1970 * 1000)) {
    self.store = store
    state = Mutex(State(fromKey: Self.key(startMs)))
  }

  /// What has come together by now, and the store's gauges.
  ///
  /// - Throws: `TapeError` if the catalogue or the prices cannot be read; what was counted stays.
  package func read(nowMs: Int64 = Int64(Date().timeIntervalSince1970 * 1000)) throws -> (CallTotals, StoreGauges) {
    try state.withLock { state in
      let engine = try state.engine ?? QueryEngine(store: store)
      state.engine = engine
      try Self.update(&state, engine, from: Self.key(nowMs - Self.windowMs))
      return (state.totals, try engine.gauges())
    }
  }

  /// Without a catalogue: what was counted before.
  package var totals: CallTotals { state.withLock { $0.totals } }

  /// The least `call_key` of that millisecond.
  private static func key(_ milliseconds: Int64) -> Int64 { milliseconds << 21 }

  private static func update(_ state: inout State, _ engine: QueryEngine, from next: Int64) throws {
    let prices = try engine.prices
    let known = state.counted
    var keys = state.open.sorted().filter { $0 < state.fromKey }
    try engine.catalogue.query(
      "SELECT call_key FROM calls WHERE call_key >= ? AND erased_ns IS NULL", [.integer(state.fromKey)]
    ) { row in
      if let key = row.integer(0).map(Int64.init), !known.contains(key) { keys.append(key) }
    }
    for start in stride(from: 0, to: keys.count, by: 256) {
      let some = keys[start..<min(start + 256, keys.count)]
      // One that is gone was erased.
      state.open.subtract(some)
      for row in try engine.rows(some) {
        if row.state == CallState.open.rawValue {
          state.open.insert(row.callKey)
        } else {
          state.totals.add(row, prices)
          state.counted.insert(row.callKey)
        }
      }
    }
    if next > state.fromKey {
      state.fromKey = next
      state.counted = state.counted.filter { $0 >= next }
    }
  }
}

/// How large and how far behind a store is at this moment.
package struct StoreGauges: Sendable {
  package var journalBytes = 0
  package var segmentBytes = 0
  package var catalogueBytes = 0
  package var journals = 0
  package var segments = 0
  package var liveWriters = 0
  package var unsealedCalls = 0
  package var lagBytes = 0
  package var damage = 0
}

extension QueryEngine {
  fileprivate func gauges() throws -> StoreGauges {
    let files = try archive.files()
    var gauges = StoreGauges()
    for file in files {
      switch file.kind {
      case .journal:
        gauges.journals += 1
        gauges.journalBytes += file.bytes
      case .segment:
        gauges.segments += 1
        gauges.segmentBytes += file.bytes
      default: break
      }
    }
    gauges.liveWriters = Set(files.filter { $0.kind == .journal && $0.isLive }.map(\.writer)).count
    gauges.catalogueBytes = (try? store.files.status(store.cataloguePath)).flatMap { $0 }.map { Int($0.bytes) } ?? 0
    try catalogue.snapshot { snapshot in
      gauges.lagBytes = try StoreStatus.lag(files, snapshot).bytes
      let unsealed = "SELECT count(*) FROM calls WHERE archive_file >= 'J-' AND archive_file < 'J.'"
      gauges.unsealedCalls = try snapshot.integer(unsealed) ?? 0
      gauges.damage = try snapshot.integer("SELECT count(*) FROM damage") ?? 0
    }
    return gauges
  }
}
