import Synchronization
import TapeArchive
import TapeTypes
import Testing

/// Says stop when it has been asked so often.
private final class Patience: Sendable {
  private let left: Atomic<Int>
  init(_ asks: Int) { left = Atomic(asks) }
  var isOver: Bool { left.subtract(1, ordering: .relaxed).newValue < 0 }
  var wasOver: Bool { left.load(ordering: .relaxed) < 0 }
}

/// A seal that is told to stop leaves what it has not sealed to the next one.
@Suite struct SealStopTests {
  private struct Recorded {
    var store: Store
    var expected: [RecordedCall] = []
    var isOpen: Set<CallID> = []
    var live: JournalWriter
  }

  /// A dead writer with calls without end, one that was closed, one that lives and has a call that goes on; several
  /// journals each.
  private func record() throws -> Recorded {
    var generator = Seeded(state: 77)
    let store = try memoryStore()
    var options = JournalOptions()
    options.rollBytes = 9_000
    let dead = try JournalWriter(store: store, options: options, clock: ManualClock(), log: quiet)
    var expected = TapeArchiveTests.record(dead, &generator, calls: 12, unended: 4)
    try dead.close()
    let closed = try JournalWriter(store: store, options: options, clock: ManualClock(), log: quiet)
    expected += TapeArchiveTests.record(closed, &generator, calls: 12)
    try closed.close()
    let live = try JournalWriter(store: store, options: options, clock: ManualClock(), log: quiet)
    let open = makeOpen(&generator)
    let handle = live.open(open)
    live.frame(handle, 1, "data: it goes on\n\n")
    expected += TapeArchiveTests.record(live, &generator, calls: 12)
    _ = live.flush()
    return Recorded(store: store, expected: expected, isOpen: [open.id], live: live)
  }

  private func check(_ recorded: Recorded) throws {
    let all = try recorded.store.everything()
    #expect(all.damage.isEmpty)
    for call in recorded.expected { #expect(all.calls[call.open.id] == call) }
    #expect(all.calls.count == recorded.expected.count + recorded.isOpen.count)
    #expect(try Verifier(store: recorded.store).run().damage.isEmpty)
  }

  @Test(arguments: 0..<48) func whateverItWasDoing(asks: Int) throws {
    let recorded = try record()
    let journals = recorded.store.archiveNames.filter { $0.hasPrefix("J-") }
    #expect(journals.count > 8)
    let patience = Patience(asks)
    let report = try Sealer(store: recorded.store, log: quiet, until: { patience.isOver }).seal()
    #expect(report.damage.isEmpty && report.unsealed.isEmpty)
    #expect(!recorded.store.archiveNames.contains { $0.hasSuffix(".tmp") })
    #expect(report.wasStopped == patience.wasOver)
    if asks == 0 { #expect(recorded.store.archiveNames == journals) }
    try check(recorded)

    let rest = try Sealer(store: recorded.store, log: quiet).seal()
    #expect(rest.damage.isEmpty && rest.unsealed.isEmpty && !rest.wasStopped)
    // Nothing that was sealed before the stop is sealed again.
    let whole = try record()
    #expect(report.sealedCalls + rest.sealedCalls == (try Sealer(store: whole.store, log: quiet).seal().sealedCalls))
    #expect(segmentsIn(recorded.store) == (report.segments + rest.segments).sorted())
    try check(recorded)
  }

  @Test func itWaitsForTheStoreOnlyUntilItIsToldToStop() throws {
    let recorded = try record()
    let held = try #require(try recorded.store.lock(wait: false))
    let patience = Patience(2)
    let report = try Sealer(store: recorded.store, log: quiet, until: { patience.isOver }).seal()
    #expect(report.wasStopped && report.sealedCalls == 0)
    held.release()
  }
}
