import Logging
import TapeArchive
import TapeTestSupport
import TapeTypes

/// Recorders, a sealer and readers on one disk, and what their seed lets happen to them.
///
/// One step is one thing that somebody does. After each check the world is compared with what the clients got.
final class World {
  struct OpenCall {
    var handle: RecorderSession.Handle
    var hasTimes: Bool
    var frames = 0
    var isInsideFrame = false
  }

  struct Recorder {
    var files: MemoryFiles
    var session: RecorderSession
    var calls: [OpenCall] = []
  }

  let path: String
  let oracle = Oracle()
  let clock = ManualClock()
  var generator: SplitMix64
  var disk = MemoryDisk()
  var recorders: [Recorder] = []
  /// Of calls that cannot change any more, with what they were when that was first seen.
  private var leaves: [CallID: [UInt8]] = [:]
  /// Calls in segments that a seal got through with: no loss of power changes them.
  var sealed: Set<CallID> = []
  /// A sync lied: until the power goes nothing that counts as synced is.
  var hasLied = false
  /// The power went: damage may be found in journals from now on.
  var powerWent = false
  /// Calls that may be missing, as their segment's time had come or someone asked for their erasure.
  var mayBeMissing: Set<CallID> { removed.union(erasures.keys) }
  var removed: Set<CallID> = []
  /// Calls that someone asked to be erased, and how far that is known to be.
  var erasures: [CallID: ErasureState] = [:]
  /// Bytes that only one call has, by call.
  var secrets: [CallID: [[UInt8]]] = [:]
  /// Checkpoints that were kept elsewhere, and hold.
  var kept: [CheckpointNote] = []
  /// Segments may be damaged: the power went after a sync had lied about one.
  var mayHurtSegments = false
  private(set) var problems: [String] = []
  private(set) var tally: [String: Int] = [:]
  var history: [String] = []

  /// - Parameter path: of the store; a real directory, in which the catalogue lies. Its archive is in memory.
  init(seed: UInt64, path: String) {
    generator = SplitMix64(state: seed)
    self.path = path
  }

  // MARK: Helpers

  func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
  func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

  func note(_ what: String, _ detail: String = "") {
    tally[what, default: 0] += 1
    history.append(detail.isEmpty ? what : "\(what) \(detail)")
  }

  func fail(_ what: String) { problems.append(what) }

  /// A store as a process of its own sees it.
  func store(_ files: MemoryFiles, _ access: Store.Access = .writing) throws -> Store {
    try Store(path: path, access: access, files: files, clock: clock)
  }

  /// Runs `body`; it may fail while something is wrong with the disk, with an error for people.
  @discardableResult
  func attempt(_ what: String, _ body: () throws -> Void) -> Bool {
    do {
      try body()
      return true
    } catch is TapeError {
      note("\(what) failed")
      return false
    } catch {
      fail("\(what): \(error) is no error for people")
      return false
    }
  }

  // MARK: A step

  func step() {
    clock.advance(seconds: 0.002)
    switch pick(0..<1050) {
    case 0..<40: startRecorder()
    case 40..<140: openCall()
    case 140..<620: addToCall()
    case 620..<690: endCall()
    case 690..<830: flushSome()
    case 830..<860: syncSome()
    case 860..<900: breakSomething()
    case 900..<915: moveTime()
    case 915..<935: stopRecorder()
    case 935..<955: killRecorder()
    case 955..<965: losePower()
    case 965..<985: seal()
    case 985..<1003: erase()
    case 1003..<1013: repack()
    case 1013..<1023: retain()
    case 1023..<1035: index()
    default: check()
    }
  }

  /// Ends everything, and looks once more, before and after a seal.
  func finish() {
    disk.clearFaults()
    while !recorders.isEmpty { pick(0..<2) == 0 ? stopRecorder() : killRecorder() }
    check()
    seal()
    disk.clearFaults()
    seal()
    let left = disk.paths.filter { $0.hasSuffix(".tmp") || $0.hasSuffix(".tape") || $0.hasSuffix("/erasures") }
    if !left.isEmpty { fail("a seal left \(left)") }
    index()
    index(rebuild: true)
  }

  // MARK: Recorders

  private func startRecorder() {
    guard recorders.count < 3 else { return }
    // Writers are told apart by their start, and files are looked at in that order.
    clock.advance(seconds: 0.01)
    var options = JournalOptions()
    options.durability = chance(40) ? .strict : .sync
    options.syncIntervalMs = 1 << 30
    options.syncBytes = .max
    options.rollBytes = pick(1500..<30_000)
    options.retryMs = pick(0..<2) * 50
    let files = MemoryFiles(disk: disk)
    note("recorder starts", options.durability.rawValue)
    let isStarted = attempt("start") {
      let session = try RecorderSession(store: store(files), options: options, clock: clock, oracle: oracle)
      recorders.append(Recorder(files: files, session: session))
    }
    if !isStarted { files.kill() }
  }

  private func openCall() {
    guard !recorders.isEmpty else { return startRecorder() }
    let index = pick(0..<recorders.count)
    guard recorders[index].calls.count < 6 else { return }
    let hasTimes = chance(80)
    let started = clock.wallNs()
    let id = CallID(milliseconds: UInt64(started / 1_000_000), using: &generator)
    let who = "who-\(generator.next())-\(generator.next())"
    let body = chance(10) ? Traffic.bytes(pick(0..<3000), &generator) : Array(#"{"key":"k\#(pick(0..<9))"}"#.utf8)
    let salt = Traffic.bytes(16, &generator)
    let open = CallOpen(
      id: id, startedAtNs: started, origin: hasTimes ? .proxy : .import, upstream: "https://api.example",
      path: "/v2/x", headers: [HeaderField("Accept", "*/*"), HeaderField("X-Who", who)], body: body,
      hasTimes: hasTimes, salt: salt)
    secrets[id] = [Array(who.utf8), salt, Array(salt.map { Self.hex($0) }.joined().utf8)]
    let handle = recorders[index].session.open(open)
    if chance(85) {
      recorders[index].session.head(
        handle, CallHead(offsetNs: hasTimes ? 7 : nil, status: 200, httpVersion: "1.1", headers: []))
    }
    recorders[index].calls.append(OpenCall(handle: handle, hasTimes: hasTimes))
    note("call opens")
  }

  private func someCall() -> (recorder: Int, call: Int)? {
    let all = recorders.indices.flatMap { recorder in recorders[recorder].calls.indices.map { (recorder, $0) } }
    return all.isEmpty ? nil : all[pick(0..<all.count)]
  }

  private func addToCall() {
    guard let (recorder, index) = someCall() else { return openCall() }
    for _ in 0..<pick(1..<6) {
      var call = recorders[recorder].calls[index]
      let session = recorders[recorder].session
      // Every frame has a time of its own, or else bytes of its own: so it is known on tape.
      let time: Int64? = call.hasTimes ? Int64(call.frames + 1) * 1_000_003 : nil
      let bytes = Traffic.frame(call.frames, unique: !call.hasTimes, &generator)
      if call.hasTimes, call.isInsideFrame || chance(20) {
        session.part(call.handle, offsetNs: time, bytes)
        call.isInsideFrame = !bytes.isEmpty || call.isInsideFrame
      }
      if !call.isInsideFrame || chance(60) {
        session.frame(call.handle, offsetNs: time, call.isInsideFrame ? [0x0A, 0x0A] : bytes)
        call.isInsideFrame = false
        call.frames += 1
      }
      recorders[recorder].calls[index] = call
    }
    note("frames")
  }

  private func endCall() {
    guard let (recorder, index) = someCall() else { return }
    let call = recorders[recorder].calls.remove(at: index)
    guard chance(92) else {
      note("call abandoned")
      return recorders[recorder].session.abandon(call.handle)
    }
    let causes: [CallEnd.Cause] = [.endOfBody, .endOfBody, .clientClosed, .upstreamClosed, .timeout]
    recorders[recorder].session.end(
      call.handle, offsetNs: call.hasTimes ? 1 << 40 : nil, cause: causes[pick(0..<causes.count)])
    note("call ends")
  }

  private func flushSome() {
    guard !recorders.isEmpty else { return }
    let index = pick(0..<recorders.count)
    note(recorders[index].session.flush() ? "flush" : "flush failed")
    buryDead()
  }

  private func syncSome() {
    guard !recorders.isEmpty else { return }
    note(recorders[pick(0..<recorders.count)].session.sync() ? "sync" : "sync failed")
    buryDead()
    if chance(10) { losePower() }
  }

  private func stopRecorder() {
    guard !recorders.isEmpty else { return }
    let recorder = recorders.remove(at: pick(0..<recorders.count))
    note("recorder stops")
    attempt("close") { try recorder.session.close() }
    oracle.died(recorder.session)
    recorder.files.kill()
  }

  private func killRecorder() {
    guard !recorders.isEmpty else { return }
    recorders[pick(0..<recorders.count)].files.kill()
    note("recorder killed")
    buryDead()
  }

  /// Recorders that a kill met, here or inside of an operation.
  func buryDead() {
    for recorder in recorders where recorder.files.isDead { oracle.died(recorder.session) }
    recorders.removeAll { $0.files.isDead }
  }

  // MARK: Misfortune

  private func breakSomething() {
    let faults: [Fault] = [.inputOutput, .noSpace, .short, .fullInside, .kill, .kill, .lying]
    let fault = faults[pick(0..<faults.count)]
    if chance(25) {
      // One bad moment for a journal: its sync fails, or a full disk on which it cannot be cut back.
      if chance(60) {
        disk.failSyncs(1)
      } else {
        disk.failTruncates(1)
        disk.fail(1, .fullInside)
      }
      note("a sync or a truncation will fail")
    } else if chance(25) {
      // A disk that stays broken for a while.
      let from = pick(1..<8)
      for number in from..<(from + pick(2..<25)) { disk.fail(number, fault == .lying ? .inputOutput : fault) }
      note("disk breaks for a while")
    } else {
      if fault == .lying { hasLied = true }
      disk.fail(pick(1..<15), fault)
      note("fault \(fault)")
    }
  }

  private func moveTime() {
    clock.advance(seconds: Double(pick(1..<400)))
    if chance(20) { clock.set(wallNs: clock.wallNs() - Int64(pick(1..<100)) * 1_000_000) }
    note("time passes")
  }

  func losePower() {
    let seed = generator.next()
    let states = PowerLoss.states(seed: seed)
    let loss = states[pick(0..<states.count)]
    note("power loss", "\(loss)")
    // Nobody is left to do anything; the disk comes back as a new one.
    for recorder in recorders {
      oracle.died(recorder.session)
      recorder.files.kill()
    }
    recorders = []
    disk = disk.after(loss)
    if hasLied { noteLies() }
    for id in sealed { oracle.settle(id) }
    oracle.powerWent()
    powerWent = true
    leaves = leaves.filter { sealed.contains($0.key) }
    hasLied = false
    check()
  }

  private func seal() {
    let files = MemoryFiles(disk: disk)
    let isDone = attempt("seal") { _ = try Sealer(store: store(files), log: .silent).seal() }
    note(isDone ? "seal" : files.isDead ? "seal killed" : "seal failed")
    files.kill()
    buryDead()
    if isDone { noteErasures() }
    if isDone, !hasLied { check(afterSeal: true) }
    if chance(20) { losePower() }
  }

  // MARK: Checks

  /// Reads everything, as a process that has nothing to do with the others.
  func check(afterSeal: Bool = false) {
    disk.clearFaults()
    let files = MemoryFiles(disk: disk)
    defer { files.kill() }
    var calls: [CallID: RecordedCall] = [:]
    var found: [CallID: [UInt8]] = [:]
    var damage: [Damage] = []
    let isRead = attempt("reading") {
      try ArchiveReader(store: store(files)).allCalls(onDamage: { damage.append($0) }) { call, location in
        if calls.updateValue(call, forKey: call.open.id) != nil { fail("call \(call.open.id) came twice") }
        if afterSeal, location.file.hasPrefix("S-") {
          sealed.insert(call.open.id)
          oracle.settle(call.open.id)
        }
        if !call.isLive { found[call.open.id] = leafHash(of: call) }
      }
    }
    guard isRead else { return fail("the archive cannot be read") }
    if !powerWent, let first = damage.first { fail("damage without a loss of power: \(first)") }
    let missing = mayBeMissing.filter { calls[$0] == nil }
    problems += oracle.problems(with: calls, promised: .written, isDamaged: false, without: missing)
    for (id, leaf) in leaves where found[id] != leaf && !missing.contains(id) { fail("call \(id) is not what it was") }
    leaves = found
    checkErasures(calls)
    verify(files, keeping: afterSeal)
    note("check")
  }
}
