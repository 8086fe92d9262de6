import Logging
import TapeArchive
import TapeTypes
import Testing

/// What an archive gives at one moment.
struct Tape {
  var calls: [CallID: RecordedCall] = [:]
  var leaves: [CallID: [UInt8]] = [:]
  var damage: [Damage] = []

  init(_ store: Store) throws {
    var damage: [Damage] = []
    var twice: [CallID] = []
    try ArchiveReader(store: store).allCalls(onDamage: { damage.append($0) }) { call, _ in
      if calls.updateValue(call, forKey: call.open.id) != nil { twice.append(call.open.id) }
      leaves[call.open.id] = leafHash(of: call)
    }
    self.damage = damage
    #expect(twice == [], "calls came twice")
  }
}

/// Options under which nothing is synced but where a test says so: the syncer's thread has nothing to do.
func quietOptions(_ durability: Durability = .sync, rollBytes: Int = 64 << 20) -> JournalOptions {
  var options = JournalOptions()
  options.durability = durability
  options.syncIntervalMs = 1 << 30
  options.syncBytes = .max
  options.rollBytes = rollBytes
  options.retryMs = 0
  return options
}

/// What the next run on a disk must do after whatever happened: read, record, seal, and everything is still the same.
///
/// - Returns: what it found first.
@discardableResult
func recover(
  _ disk: MemoryDisk, _ oracle: Oracle, promised grip: Oracle.Grip, mayDamage: Bool = false,
  _ what: @autoclosure () -> String
) throws -> Tape {
  let clock = ManualClock()
  clock.advance(seconds: 1000)
  let store = try Store(path: "/s", access: .writing, files: MemoryFiles(disk: disk), clock: clock)
  _ = try store.fingerprintKey()
  let found = try Tape(store)
  if !mayDamage { #expect(found.damage == [], "\(what())") }
  let problems = oracle.problems(with: found.calls, promised: grip, isDamaged: !found.damage.isEmpty)
  #expect(problems == [], "\(what())")

  let writer = try JournalWriter(store: store, options: quietOptions(), clock: clock, log: quiet)
  let id = CallID(milliseconds: 1_767_225_601_000)
  let handle = writer.open(CallOpen(id: id, startedAtNs: 1_767_225_601_000_000_000, origin: .library, salt: [7]))
  writer.frame(handle, 1, "data: after\n\n")
  writer.end(handle, offsetNs: 2, cause: .endOfBody)
  try writer.close()
  _ = try Sealer(store: store, log: quiet).seal()
  let sealed = try Tape(store)
  for (id, leaf) in found.leaves { #expect(sealed.leaves[id] == leaf, "\(what()): sealing changed call \(id)") }
  #expect(sealed.calls[id]?.raw == Array("data: after\n\n".utf8), "\(what())")
  #expect(sealed.calls.count == found.calls.count + 1, "\(what())")
  let names = store.archiveNames
  #expect(!names.contains { $0.hasSuffix(".tmp") || $0.hasSuffix(".tape") }, "\(what()): \(names)")
  #expect(try Sealer(store: store, log: quiet).seal().sealedCalls == 0)
  return found
}

/// Traffic of a few calls, the same each time: heads, parts, deltas, a journal that is followed by others, a call that
/// ends, one that was aborted, one that goes on.
struct SmallTraffic {
  var durability = Durability.sync
  var rollBytes = 2500
  var seed: UInt64 = 77

  func run(on files: MemoryFiles, _ oracle: Oracle) throws {
    var generator = Seeded(state: seed)
    let clock = ManualClock()
    let store = try Store(path: "/s", access: .writing, files: files, clock: clock)
    _ = try store.fingerprintKey()
    let session = try RecorderSession(
      store: store, options: quietOptions(durability, rollBytes: rollBytes), clock: clock, oracle: oracle)
    let calls = (0..<3).map { index in
      session.open(makeOpen(&generator, startedAtNs: 1_767_225_600_000_000_000 + Int64(index)))
    }
    for (index, call) in calls.enumerated() where index < 2 {
      session.head(
        call, CallHead(offsetNs: 5, status: 200, headers: [HeaderField("content-type", "text/event-stream")]))
    }
    session.flush()
    for step in 0..<9 {
      let call = calls[step % 3]
      let time = Int64(100 + step)
      if step % 4 == 1 {
        session.part(call, offsetNs: time, Array("data: {\"the beginn".utf8))
        session.flush()
        session.part(call, offsetNs: time, Array("ing of frame \(step)".utf8))
      }
      session.frame(call, offsetNs: time, Array("data: {\"a text that others share, and a number\":\(step)}\n\n".utf8))
      if step % 2 == 0 { session.flush() }
      if step == 4, durability == .sync { session.sync() }
      clock.advance(seconds: 1)
    }
    session.end(calls[0], offsetNs: 500, cause: .endOfBody)
    session.flush()
    session.part(calls[1], offsetNs: 600, Array("data: cut o".utf8))
    session.end(calls[1], offsetNs: 601, cause: .clientClosed)
    session.frame(calls[2], offsetNs: 602, Array("data: last\n\n".utf8))
    try session.close()
  }
}
