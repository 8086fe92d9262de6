import TapeArchive
import TapeTypes
import Testing

/// Each operation of sealing and reading fails once, or is the last before the power goes.
@Suite struct SealingFaultTests {
  /// A durable archive: a segment, and the journals of two writers that died, one of them inside of a write.
  static func archive() throws -> (disk: MemoryDisk, oracle: Oracle) {
    let disk = MemoryDisk()
    let oracle = Oracle()
    try SmallTraffic().run(on: MemoryFiles(disk: disk), oracle)
    let store = try Store(path: "/s", access: .writing, files: MemoryFiles(disk: disk), clock: ManualClock())
    _ = try Sealer(store: store, log: quiet).seal()
    try SmallTraffic(seed: 5).run(on: MemoryFiles(disk: disk), oracle)
    disk.fail(30, .kill)
    #expect(throws: TapeError.self) { try SmallTraffic(seed: 6).run(on: MemoryFiles(disk: disk), oracle) }
    // The death of a process takes nothing; from here on a loss of power must not either.
    for id in oracle.callIDs { oracle.settle(id) }
    return (disk.copy(), oracle)
  }

  @Test(arguments: RecordingFaultTests.faults)
  func theNthOperationOfASealFails(fault: Fault) throws {
    let (archive, oracle) = try Self.archive()
    var number = 1
    var isThrough = false
    while !isThrough {
      let disk = archive.copy()
      let store = try Store(path: "/s", access: .writing, files: MemoryFiles(disk: disk), clock: ManualClock())
      _ = disk.takeLog()
      disk.fail(number, fault)
      do {
        _ = try Sealer(store: store, log: quiet).seal()
      } catch {
        #expect(error is TapeError, "operation \(number): \(error)")
      }
      let log = disk.takeLog()
      isThrough = log.count < number
      let what = "\(fault) in operation \(number), \(isThrough ? "none" : log[number - 1].description)"
      // A short read or write changes nothing; every error leaves the archive as good as it was.
      if isThrough || log[number - 1].kind.changes || number % 7 == 0 {
        try recover(disk.copy(), oracle, promised: .synced, what)
        for loss in PowerLoss.states(seed: UInt64(number)) {
          try checkReading(disk.after(loss), oracle, "\(what), then power loss \(loss)")
        }
        try recover(disk.after(.nothing), oracle, promised: .synced, "\(what), then power loss")
        try recover(disk.after(.reordered(seed: UInt64(number))), oracle, promised: .synced, "\(what), then power loss")
      }
      number += 1
    }
    #expect(number > 60)
  }

  private func checkReading(_ disk: MemoryDisk, _ oracle: Oracle, _ what: String) throws {
    let store = try Store(path: "/s", access: .reading, files: MemoryFiles(disk: disk), clock: ManualClock())
    let tape = try Tape(store)
    #expect(oracle.problems(with: tape.calls, promised: .synced) == [], "\(what)")
    #expect(tape.damage == [], "\(what)")
  }

  /// What readers do when the disk does not let them: an error that says so, or the right answer.
  @Test(arguments: [Fault.inputOutput, .short])
  func theNthOperationOfReadingFails(fault: Fault) throws {
    let (disk, oracle) = try Self.archive()
    let some = try #require(oracle.callIDs.last)
    for reader in Reader.allCases {
      disk.clearFaults()
      let expected = try reader.read(
        Store(path: "/s", access: .reading, files: MemoryFiles(disk: disk), clock: ManualClock()), some)
      #expect(!expected.isEmpty)
      var number = 1
      var errors = 0
      while true {
        disk.clearFaults()
        _ = disk.takeLog()
        disk.fail(number, fault)
        do {
          let store = try Store(path: "/s", access: .reading, files: MemoryFiles(disk: disk), clock: ManualClock())
          let calls = try reader.read(store, some)
          // A short read is none of the reader's business.
          #expect(calls == expected, "\(reader) \(fault) \(number)")
        } catch {
          #expect(error is TapeError, "\(reader): \(error)")
          #expect(fault != .short, "\(reader) \(number): \(error)")
          errors += 1
        }
        let log = disk.takeLog()
        if log.count < number { break }
        number += 1
      }
      #expect(fault == .short || errors > 10, "\(reader)")
    }
  }

  enum Reader: CaseIterable {
    case all, find, follow

    func read(_ store: Store, _ some: CallID) throws -> [CallID: RecordedCall] {
      switch self {
      case .all:
        let tape = try Tape(store)
        // One file that cannot be read is no reason not to read the others, and is said.
        if let damage = tape.damage.first { throw TapeError(.corrupt, damage.description) }
        return tape.calls
      case .find:
        let found = try ArchiveReader(store: store).find(some)
        return found.map { [some: $0.call] } ?? [:]
      case .follow: return try Collector.all(store).calls
      }
    }
  }
}
