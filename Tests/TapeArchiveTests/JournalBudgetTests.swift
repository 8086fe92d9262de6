import TapeArchive
import TapeTypes
import Testing

/// What is read a piece at a time is what is read in one go.
@Suite struct JournalBudgetTests {
  /// Three writers: one that lives, one that died, one that closed; several journals, damage in one of them.
  private func store(_ files: MemoryFiles) throws -> (store: Store, alive: JournalWriter) {
    var generator = Seeded(state: 77)
    let clock = ManualClock()
    let store = try memoryStore(files, clock: clock)
    var dying: JournalWriter? = try JournalWriter(store: store, clock: clock, log: quiet)
    if let dying { _ = record(dying, &generator, calls: 12, unended: 3) }
    _ = dying?.flush()
    dying = nil
    let closed = try JournalWriter(store: store, clock: clock, log: quiet)
    for _ in 0..<3 {
      _ = record(closed, &generator, calls: 5)
      clock.advance(seconds: 400)
      _ = closed.flush()
    }
    try closed.close()
    let alive = try JournalWriter(store: store, clock: clock, log: quiet)
    _ = record(alive, &generator, calls: 8, unended: 2)
    _ = alive.flush()
    return (store, alive)
  }

  @Test(arguments: [1, 100, 1_000, 20_000, 300_000, .max])
  func aBudgetChangesNothing(bytes: Int) throws {
    let files = MemoryFiles()
    let (store, alive) = try store(files)
    let name = try #require(store.archiveNames.first { $0.hasPrefix("J-") })
    var damaged = files.bytes(store.archivePath + "/" + name)
    damaged[damaged.count / 2] ^= 1
    files.set(store.archivePath + "/" + name, damaged)
    let expected = try Collector.all(store)

    let follower = JournalFollower(store: store)
    var read = Collector()
    var polls = 1
    while try !follower.poll(budget: bytes, { read.take($0) }) { polls += 1 }
    #expect(read.calls == expected.calls)
    #expect(read.lost == expected.lost)
    #expect(read.gaps == expected.gaps)
    #expect(read.damage.map(\.description).sorted() == expected.damage.map(\.description).sorted())
    #expect(bytes < 20_000 ? polls > 5 : bytes == .max ? polls == 1 : true)
    withExtendedLifetime(alive) {}
  }

  @Test func howFarJournalsWereReadIsKnownInBetween() throws {
    let (store, alive) = try store(MemoryFiles())
    let names = store.archiveNames.filter { $0.hasPrefix("J-") }
    let follower = JournalFollower(store: store)
    #expect(try follower.poll(budget: 1_000) { _ in } == false)
    // One was begun; nothing was read of the others.
    let positions = names.map { follower.position(in: $0) }
    #expect(positions.filter { $0 == 0 }.count == names.count - 1)
    #expect(positions.contains { $0 ?? 0 >= 1_000 })
    while try !follower.poll(budget: 1_000, { _ in }) {}
    // Only the one that may still grow has a position.
    #expect(names.compactMap { follower.position(in: $0) }.count == 1)
    withExtendedLifetime(alive) {}
  }

  /// A writer that always has more than the budget allows keeps no other one waiting.
  @Test func writersTakeTurns() throws {
    var generator = Seeded(state: 78)
    let store = try memoryStore()
    let writers = try (0..<2).map { _ in try JournalWriter(store: store, clock: ManualClock(), log: quiet) }
    let opens = writers.map { writer in
      let open = makeOpen(&generator)
      let call = writer.open(open)
      for index in 0..<200 {
        writer.frame(call, Int64(index), "data: \(String(repeating: "x\(index)", count: 40))\n\n")
        _ = writer.flush()
      }
      return open.id
    }
    let follower = JournalFollower(store: store)
    var read = Collector()
    for _ in 0..<2 { #expect(try follower.poll(budget: 5_000) { read.take($0) } == false) }
    for id in opens { #expect(read.calls[id]?.frameCount ?? 0 > 0) }
    withExtendedLifetime(writers) {}
  }
}
