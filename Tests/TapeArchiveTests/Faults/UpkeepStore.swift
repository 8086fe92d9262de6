import Crypto
import Synchronization
import TapeTypes
import Testing

@testable import TapeArchive

/// An archive for those who seal, erase, repack and remove: two segments, one of them old, and the journals of a
/// recorder that died inside of a write. Every file of it is durable.
struct UpkeepStore: Sendable {
  enum Job: String, CaseIterable { case seal, erase, repack, retention }

  static let secrets = ["anna.secret", "prompt-secret", "answer-secret"]
  private static let day: Int64 = 86_400 * 1_000_000_000

  /// One for all tests, so that a state which several faults lead to is looked at once.
  private static let made = Result { try UpkeepStore() }
  static func shared() throws -> UpkeepStore { try made.get() }

  let disk: MemoryDisk
  private let clock = ManualClock()
  /// What was recorded, with the salts that must go too.
  private(set) var calls: [CallID: RecordedCall] = [:]
  private(set) var erased: Set<CallID> = []
  /// The calls of the segment that is too old to be kept.
  private var old: Set<CallID> = []
  /// States of a disk that were looked at: most of what goes wrong leaves one that was there before.
  private let seen = Seen()
  /// Made before any of the work, and kept elsewhere.
  private let checkpoint: CheckpointNote

  private init() throws {
    let disk = MemoryDisk()
    var made = Made(store: try Self.open(disk, clock), clock: clock)
    try made.segment(calls: 6)
    old = Set(made.calls.keys)
    made.startNs += 40 * Self.day
    clock.advance(seconds: 40 * 86_400)
    try made.segment(calls: 4)
    // Sums, not a proof of anything signed: what is in the archive now is in it for good.
    checkpoint = try ProofMaker(store: made.store).checkpoint()
    clock.advance(seconds: 10)
    try made.journals(on: disk)
    (calls, erased) = (made.calls, made.erased)
    self.disk = disk.copy()
  }

  private static func open(_ disk: MemoryDisk, _ clock: ManualClock) throws -> Store {
    try Store(path: "/s", access: .writing, files: MemoryFiles(disk: disk), clock: clock)
  }

  // MARK: Work

  /// Does the work in a process of its own. False if it did not get through; then with an error for people.
  func attempt(_ job: Job, on disk: MemoryDisk, seals: Bool = false) -> Bool {
    let files = MemoryFiles(disk: disk)
    defer { files.kill() }
    do {
      let store = try Store(path: "/s", access: .writing, files: files, clock: clock)
      switch job {
      case .seal: _ = try Sealer(store: store, log: quiet, clock: clock).seal()
      case .erase where seals: _ = try Sealer(store: store, log: quiet, clock: clock).seal()
      case .erase:
        let report = try Eraser(store: store, log: quiet, clock: clock, keeper: nil).erase(erased)
        #expect(report.pending == [], "an erasure that is not done says so by what is pending only where calls go on")
        #expect(report.damage == [])
      // One that the disk does not give is left, said, and no reason to leave the others.
      case .repack: return try Repacker(store: store, level: 19, log: quiet).repack().damage.isEmpty
      case .retention:
        // It says what went wrong to the log, and is tried again. It is done when it is so for good.
        _ = Retention(keepNs: 20 * Self.day, keepBytes: nil).run(on: store, clock: clock, log: quiet)
        return isDone(disk.after(.nothing), job)
      }
      return true
    } catch {
      #expect(error is TapeError, "\(job): \(error) is no error for people")
      return false
    }
  }

  /// What the job is for is so.
  func isDone(_ disk: MemoryDisk, _ job: Job) -> Bool {
    let names = disk.paths.map { String($0.split(separator: "/").last ?? "") }
    guard !names.contains(where: { $0.hasSuffix(".tmp") }) || job == .retention else { return false }
    switch job {
    case .seal: return !names.contains { $0.hasSuffix(".tape") }
    case .erase: return !names.contains("erasures") && secretsFound(disk).isEmpty
    case .repack:
      return names.filter { $0.hasPrefix("S-") }.allSatisfy { name in
        (try? SegmentReader(store: Self.open(disk.copy(), clock), name: name).file.level) ?? 0 == 19
      }
    case .retention: return names.filter { $0.hasPrefix("S-") && $0.hasSuffix(".tape.zst") }.count == 1
    }
  }

  private func secretsFound(_ disk: MemoryDisk) -> [String] {
    let salts = erased.compactMap { calls[$0]?.open.salt }
    let needles = Self.secrets.map { Array($0.utf8) } + salts + salts.map { Array(Hex.string($0).utf8) }
    return DiskScan.find(needles, on: disk).map { "\($0.path) has \(String(decoding: $0.needle, as: UTF8.self))" }
  }

  // MARK: Checks

  /// Verified clean, with the same root, and every call as it was recorded but for those that the job is about.
  func check(_ disk: MemoryDisk, _ job: Job, isDone: Bool, _ what: String) {
    guard seen.isNew(disk, "\(job) \(isDone)") else { return }
    do {
      let store = try Store(path: "/s", access: .reading, files: MemoryFiles(disk: disk), clock: clock)
      let kept = Verifier.Kept(name: "kept", note: checkpoint)
      let report = try Verifier(store: store).run(kept: [kept])
      #expect(report.damage == [], "\(what)")
      #expect(report.checkpoints.contains { $0.file == "kept" && $0.result == .older || $0.result == .same }, "\(what)")
      let tape = try Tape(store)
      #expect(tape.damage == [], "\(what)")
      for (id, call) in calls {
        if tape.calls[id] == nil, mayGo(id, job) { continue }
        #expect(tape.calls[id] == call, "\(what): call \(id)")
      }
      #expect(Set(tape.calls.keys).isSubset(of: calls.keys), "\(what)")
      if isDone { #expect(self.isDone(disk, job), "\(what): done, and then not") }
      guard job == .erase else { return }
      // Whoever takes calls off the list has taken them out of the archive before, for good.
      let isListed = disk.paths.contains("/s/archive/erasures")
      if !isListed, report.erasedCalls > 0 {
        #expect(secretsFound(disk) == [], "\(what): off the list and still there")
      }
    } catch {
      Issue.record("\(what): \(error)")
    }
  }

  private func mayGo(_ id: CallID, _ job: Job) -> Bool {
    switch job {
    case .seal, .repack: false
    case .erase: erased.contains(id)
    case .retention: old.contains(id)
    }
  }

  /// The next run, with nothing in its way. An erasure that is on the list is finished by a seal just as well.
  func finish(_ disk: MemoryDisk, _ job: Job, _ what: String, _ number: Int) {
    let isListed = disk.paths.contains("/s/archive/erasures")
    guard seen.isNew(disk, "\(job) again \(number % 2)") else { return }
    #expect(attempt(job, on: disk, seals: isListed && number % 2 == 0), "\(what)")
    check(disk, job, isDone: true, what)
    // And nothing of it is left to do, nor lost with the power.
    check(disk.after(.nothing), job, isDone: true, "\(what), then power loss")
  }

  /// A disk that said that it had synced, and had not, may lose what it likes: it is said, and nothing is made up.
  func checkHonesty(_ disk: MemoryDisk, _ job: Job, _ what: String) {
    do {
      let store = try Store(path: "/s", access: .reading, files: MemoryFiles(disk: disk), clock: clock)
      let report = try Verifier(store: store).run(kept: [Verifier.Kept(name: "kept", note: checkpoint)])
      let tape = try Tape(store)
      for (id, call) in calls {
        guard let taped = tape.calls[id] else {
          #expect(mayGo(id, job) || !report.damage.isEmpty, "\(what): call \(id) is gone and nobody says so")
          continue
        }
        #expect(taped.open == call.open && call.raw.starts(with: taped.raw), "\(what): call \(id) is made up")
        #expect(taped == call || !report.damage.isEmpty || taped.end == nil, "\(what): call \(id) is less than it was")
      }
    } catch {
      #expect(error is TapeError, "\(what): \(error)")
    }
  }
}

/// Which states of a disk were there before, in what respect.
private final class Seen: Sendable {
  private let digests = Mutex<Set<[UInt8]>>([])

  func isNew(_ disk: MemoryDisk, _ respect: String) -> Bool {
    var hash = SHA256()
    hash.update(data: Array(respect.utf8))
    for path in disk.paths {
      hash.update(data: Array("\0\(path)\0\(disk.bytes(path).count)\0".utf8))
      hash.update(data: disk.bytes(path))
    }
    let digest = Array(hash.finalize())
    return digests.withLock { $0.insert(digest).inserted }
  }
}

/// An archive in the making.
private struct Made {
  let store: Store
  let clock: ManualClock
  var generator = Seeded(state: 4711)
  var startNs: Int64 = 1_767_225_600_000_000_000
  var calls: [CallID: RecordedCall] = [:]
  var erased: Set<CallID> = []

  init(store: Store, clock: ManualClock) {
    self.store = store
    self.clock = clock
  }

  /// Sealed at the lowest level, so that there is something to repack.
  mutating func segment(calls count: Int) throws {
    let writer = try JournalWriter(store: store, options: quietOptions(), clock: clock, log: quiet)
    for index in 0..<count { record(writer, isSecret: index % 3 == 1) }
    try writer.close()
    _ = try Sealer(store: store, level: 1, log: quiet, clock: clock).seal()
  }

  /// Several journals of one recorder, with a call that goes on from one to the next and never ends.
  mutating func journals(on disk: MemoryDisk) throws {
    let files = MemoryFiles(disk: disk)
    let writer = try JournalWriter(
      store: Store(path: "/s", access: .writing, files: files, clock: clock), options: quietOptions(rollBytes: 3000),
      clock: clock, log: quiet)
    var lost = RecordedCall(open: makeOpen(&generator, startedAtNs: startNs))
    let handle = writer.open(lost.open)
    for index in 0..<5 {
      record(writer, isSecret: index % 2 == 0)
      let frame = Array("data: the call that goes on, \(index)\n\n".utf8)
      writer.frame(handle, Int64(index), frame)
      lost.add(frame, offsetNs: Int64(index))
      _ = writer.flush()
    }
    calls[lost.open.id] = lost
    // Its recorder dies inside of a write: a torn tail, with words of somebody in it.
    let secret = writer.open(secretOpen())
    disk.fail(1, .kill)
    writer.frame(secret, 1, "data: answer-secret answer-secret answer-secret\n\n")
    _ = writer.flush()
    files.kill()
  }

  private mutating func secretOpen() -> CallOpen {
    makeOpen(
      &generator, body: Array(#"{"identity":{"id":"anna.secret"},"prompt":"prompt-secret"}"#.utf8), startedAtNs: startNs
    )
  }

  private mutating func record(_ writer: JournalWriter, isSecret: Bool) {
    startNs += 1_000_000_000
    var call = RecordedCall(open: isSecret ? secretOpen() : makeOpen(&generator, startedAtNs: startNs))
    let handle = writer.open(call.open)
    let head = CallHead(offsetNs: 2, status: 200, httpVersion: "1.1", headers: [])
    writer.head(handle, head)
    call.head = head
    for index in 0..<6 {
      let word = isSecret ? "answer-secret" : "of others"
      let frame =
        Array(#"data: {"n":\#(index),"text":"an answer \#(word) \#(generator.next() % 1000)"}"#.utf8) + [10, 10]
      writer.frame(handle, Int64(index * 1000 + 5), frame)
      call.add(frame, offsetNs: Int64(index * 1000 + 5))
    }
    writer.end(handle, offsetNs: 9000, cause: .endOfBody)
    _ = writer.flush()
    call.end = CallEnd(
      offsetNs: 9000, cause: .endOfBody, frames: call.frameCount, bytes: call.raw.count, sha256: sha256(call.raw))
    calls[call.open.id] = call
    if isSecret { erased.insert(call.open.id) }
  }
}

extension RecordedCall {
  fileprivate mutating func add(_ frame: [UInt8], offsetNs: Int64) {
    raw += frame
    frameEnds.append(raw.count)
    frameOffsetsNs.append(offsetNs)
  }
}
