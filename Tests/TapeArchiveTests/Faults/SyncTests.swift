import Foundation
import TapeArchive
import TapeTypes
import Testing

/// Without being asked, what was written is synced: after 200 ms, or at once when it is a MiB.
@Suite struct SyncTests {
  @Test(arguments: [(intervalMs: 200, bytes: 1000), (1 << 30, 1 << 20)])
  func whatWasWrittenIsSynced(intervalMs: Int, bytes: Int) throws {
    var generator = Seeded(state: 1)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    var options = JournalOptions()
    #expect((options.syncIntervalMs, options.syncBytes) == (200, 1 << 20))
    options.syncIntervalMs = intervalMs
    let writer = try JournalWriter(store: store, options: options, log: quiet)
    let open = makeOpen(&generator)
    let call = writer.open(open)
    writer.frame(call, 1, [UInt8](repeating: 0x61, count: bytes))
    #expect(writer.flush() == .written)
    func survives() throws -> Bool {
      let survived = try memoryStore(MemoryFiles(disk: files.disk.after(.nothing)))
      return try Collector.all(survived).calls[open.id]?.raw.count == bytes
    }
    // As long as it takes on this machine; forever would be a failure.
    for _ in 0..<2000 where try !survives() { usleep(10_000) }
    #expect(try survives())
    try writer.close()
  }

  @Test func aSyncThatFailsAtTheEndIsMadeGood() throws {
    let oracle = Oracle()
    let disk = MemoryDisk()
    let clock = ManualClock()
    let store = try memoryStore(MemoryFiles(disk: disk), clock: clock)
    let session = try RecorderSession(store: store, options: quietOptions(), clock: clock, oracle: oracle)
    var generator = Seeded(state: 2)
    let call = session.open(makeOpen(&generator))
    session.frame(call, offsetNs: 1, Array("data: x\n\n".utf8))
    session.end(call, offsetNs: 2, cause: .endOfBody)
    disk.failSyncs(1)
    try session.close()
    for loss in PowerLoss.states(seed: 3) {
      try recover(disk.after(loss), oracle, promised: .synced, mayDamage: true, "power loss \(loss)")
    }
  }

  /// A seal syncs journals too, and a sync that fails takes the pages for clean: the kernel tells each that has the file
  /// open, and the recorder writes again what it had not synced.
  @Test func aSyncThatFailsForSomebodyElseIsMadeGood() throws {
    let oracle = Oracle()
    let disk = MemoryDisk()
    let clock = ManualClock()
    let store = try memoryStore(MemoryFiles(disk: disk), clock: clock)
    let session = try RecorderSession(store: store, options: quietOptions(), clock: clock, oracle: oracle)
    var generator = Seeded(state: 2)
    let call = session.open(makeOpen(&generator))
    session.frame(call, offsetNs: 1, Array("data: x\n\n".utf8))
    session.flush()
    let others = MemoryFiles(disk: disk)
    let journal = try #require(store.archiveNames.first { $0.hasPrefix("J-") })
    let descriptor = try others.open("\(store.archivePath)/\(journal)", .read)
    disk.failSyncs(1)
    #expect(throws: FileError.self) { try others.sync(descriptor) }
    session.sync()
    for loss in PowerLoss.states(seed: 3) {
      try recover(disk.after(loss), oracle, promised: .synced, mayDamage: true, "power loss \(loss)")
    }
    try session.close()
  }

  /// A call that is sealed out of a journal which stays for another call must not come back as less from there.
  @Test func aSealSyncsTheJournalsThatItReads() throws {
    let disk = MemoryDisk()
    let clock = ManualClock()
    let store = try memoryStore(MemoryFiles(disk: disk), clock: clock)
    let session = try RecorderSession(
      store: store, options: quietOptions(rollBytes: 1500), clock: clock, oracle: Oracle())
    var generator = Seeded(state: 5)
    let (stays, ends) = (session.open(makeOpen(&generator)), session.open(makeOpen(&generator)))
    for step in 0..<4 {
      session.frame(ends, offsetNs: Int64(step), [UInt8](repeating: UInt8(0x61 + step), count: 1000) + [0x0A, 0x0A])
    }
    session.end(ends, offsetNs: 5, cause: .endOfBody)
    for step in 0..<4 {
      session.frame(stays, offsetNs: Int64(step), [UInt8](repeating: UInt8(0x61 + step), count: 1000) + [0x0A, 0x0A])
      session.flush()
    }
    let sealed = try Sealer(store: store, log: quiet).seal()
    #expect(sealed.sealedCalls == 1 && sealed.deletedJournals.isEmpty)
    for loss in (0..<20).flatMap({ [PowerLoss.torn(seed: $0), .reordered(seed: $0)] }) {
      let after = try memoryStore(MemoryFiles(disk: disk.after(loss)), clock: clock)
      #expect(try Sealer(store: after, log: quiet).seal().unsealed == [], "power loss \(loss)")
    }
  }

  /// Journals without a hole stay, also where one was given up in the middle of a write.
  @Test(arguments: 0..<6, [false, true])
  func aSealMakesNoJournalGoFromBetweenOthers(failing: Int, isSync: Bool) throws {
    let disk = MemoryDisk()
    let clock = ManualClock()
    let store = try memoryStore(MemoryFiles(disk: disk), clock: clock)
    let session = try RecorderSession(
      store: store, options: quietOptions(rollBytes: 1500), clock: clock, oracle: Oracle())
    var generator = Seeded(state: 7)
    _ = session.open(makeOpen(&generator))
    session.flush()
    for step in 0..<6 {
      let call = session.open(makeOpen(&generator))
      session.frame(call, offsetNs: 1, [UInt8](repeating: 0x61, count: 2000) + [0x0A, 0x0A])
      session.end(call, offsetNs: 2, cause: .endOfBody)
      session.flush()
      if step == failing {
        if isSync {
          disk.failSyncs(1)
        } else {
          disk.failTruncates(1)
          disk.fail(1, .fullInside)
        }
      }
      session.sync()
      clock.advance(seconds: 1)
      _ = try Sealer(store: store, log: quiet).seal()
      #expect(try Verifier(store: store).run().damage == [], "after step \(step)")
    }
  }

  /// Two journals that follow a failed sync: the one that repeats is where the records are, also for what comes next.
  @Test(arguments: [0, 1, 2, 3]) func journalsAfterAFailedSyncGoOnFromEachOther(failures: Int) throws {
    let oracle = Oracle()
    let disk = MemoryDisk()
    let clock = ManualClock()
    let store = try memoryStore(MemoryFiles(disk: disk), clock: clock)
    let session = try RecorderSession(
      store: store, options: quietOptions(rollBytes: 1500), clock: clock, oracle: oracle)
    var generator = Seeded(state: 4)
    let call = session.open(makeOpen(&generator))
    for step in 0..<12 {
      session.frame(call, offsetNs: Int64(step), [UInt8](repeating: UInt8(0x61 + step), count: 300) + [0x0A, 0x0A])
      session.flush()
      if step % 3 == failures % 3 {
        disk.failSyncs(step < 3 * failures ? 1 : 0)
        session.sync()
      }
      try recover(disk.copy(), oracle, promised: .written, "step \(step)")
      for loss in PowerLoss.states(seed: UInt64(step)) {
        try recover(disk.after(loss), oracle, promised: .synced, mayDamage: true, "step \(step), power loss \(loss)")
      }
    }
    session.end(call, offsetNs: 99, cause: .endOfBody)
    try session.close()
    try recover(disk.copy(), oracle, promised: .synced, "closed")
  }
}
