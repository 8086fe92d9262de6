import TapeArchive
import TapeCatalogue
import TapeIndexer
import TapeTestSupport
import TapeTypes

/// How far the erasure of a call is known to be.
enum ErasureState {
  /// Someone asked, and got an error or none yet: it may be erased, or not.
  case asked
  /// It is on the list of what is to be erased, and stays there until it is.
  case listed
  /// It was said to be out of the archive.
  case gone
}

/// What is done to the archive beside the recorders: erasing, repacking, removing what is old, indexing, verifying.
extension World {
  static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  /// Does something in a process of its own, which may die in it.
  private func run(_ what: String, _ body: (Store) throws -> Void) -> Bool {
    let files = MemoryFiles(disk: disk)
    let isDone = attempt(what) { try body(store(files)) }
    note(isDone ? what : files.isDead ? "\(what) killed" : "\(what) failed")
    files.kill()
    buryDead()
    return isDone
  }

  // MARK: Erasing

  func erase() {
    let known = callsOnTape()
    guard !known.isEmpty else { return }
    // Now and then nothing new: what was asked before goes on.
    let ids = Set((0..<pick(0..<4)).map { _ in known[pick(0..<known.count)] })
    for id in ids where erasures[id] == nil || erasures[id] == .gone { erasures[id] = .asked }
    let isDone = run("erase") { store in
      _ = try Eraser(store: store, log: .silent, clock: clock, keeper: nil).erase(ids)
      for id in ids { erasures[id] = .listed }
    }
    if isDone { noteErasures() }
    if chance(20) { losePower() }
  }

  private func callsOnTape() -> [CallID] {
    disk.clearFaults()
    let files = MemoryFiles(disk: disk)
    defer { files.kill() }
    var ids: [CallID] = []
    attempt("reading") { try ArchiveReader(store: store(files)).allCalls { call, _ in ids.append(call.open.id) } }
    return ids.sorted()
  }

  /// What is on the list no more is out of the archive, says whoever took it off.
  func noteErasures() {
    guard !erasures.isEmpty else { return }
    disk.clearFaults()
    let files = MemoryFiles(disk: disk)
    defer { files.kill() }
    attempt("reading the list of erasures") {
      let listed = Set(try ErasureList.pending(in: store(files)).filter { !$0.isOutOfArchive }.map(\.id))
      for (id, state) in erasures where state == .listed && !listed.contains(id) {
        erasures[id] = .gone
        note("erased")
      }
    }
  }

  /// What is gone is nowhere: not to be read, and not in any byte of the disk.
  func checkErasures(_ calls: [CallID: RecordedCall]) {
    let gone = erasures.filter { $0.value == .gone }.map(\.key)
    guard !gone.isEmpty else { return }
    for id in gone where calls[id] != nil { fail("call \(id) was erased and can be read") }
    for (path, needle) in DiskScan.find(gone.flatMap { secrets[$0] ?? [] }, on: disk) {
      let id = gone.first { secrets[$0]?.contains(needle) == true }
      fail("call \(id.map(\.description) ?? "?") was erased, and \(path) has \(String(decoding: needle, as: UTF8.self))")
    }
  }

  // MARK: Segments

  func repack() {
    _ = run("repack") { store in
      // It says what it cannot read, and leaves that.
      _ = try Repacker(store: store, level: pick(0..<2) * 9 + 1 + pick(0..<9), log: .silent).repack()
    }
    if chance(20) { losePower() }
  }

  /// Removes about half of the archive's bytes, the oldest segments first.
  func retain() {
    let before = callsInSegments()
    let bytes = before.keys.reduce(0) { $0 + disk.bytes(path + "/archive/" + $1).count }
    _ = run("retention") { store in
      Retention(keepNs: nil, keepBytes: bytes * pick(1..<4) / 4).run(on: store, clock: clock, log: .silent)
    }
    for (name, calls) in before where !disk.paths.contains(path + "/archive/" + name) {
      removed.formUnion(calls)
      note("segment removed")
    }
    if chance(20) { losePower() }
  }

  private func callsInSegments() -> [String: [CallID]] {
    disk.clearFaults()
    let files = MemoryFiles(disk: disk)
    defer { files.kill() }
    var calls: [String: [CallID]] = [:]
    attempt("reading segments") {
      let store = try store(files)
      for file in try ArchiveReader(store: store).files() where file.kind == .segment {
        calls[file.name] = (try? SegmentReader(store: store, name: file.name))?.entries.map(\.id)
      }
    }
    return calls
  }

  // MARK: Verifying

  /// Nothing is wrong with the archive that no loss of power explains, and it goes on from every checkpoint kept.
  func verify(_ files: MemoryFiles, keeping: Bool) {
    attempt("verify") {
      let store = try store(files, .reading)
      let notes = kept.map { Verifier.Kept(name: "kept", note: $0) }
      let report = try Verifier(store: store).run(kept: notes)
      for damage in report.damage {
        let isSealed = !damage.file.hasPrefix("J-")
        if isSealed ? !mayHurtSegments : !powerWent { fail("verify: \(damage)") }
      }
      guard keeping, !hasLied, !mayHurtSegments, report.treeSize > 0 else { return }
      kept = kept.suffix(3) + [try ProofMaker(store: store).checkpoint()]
    }
  }

  /// The power goes, and what a sync said is not so: nothing that was synced or erased meanwhile is for sure.
  func noteLies() {
    oracle.nothingIsSynced()
    mayHurtSegments = true
    sealed = []
    kept = []
    for (id, state) in erasures where state != .asked { erasures[id] = .asked }
  }

  // MARK: The catalogue

  /// Whatever happened to a catalogue and its archive, a run gives what a catalogue made anew would say.
  func index(rebuild: Bool = false) {
    disk.clearFaults()
    var files = MemoryFiles(disk: disk)
    if !rebuild, chance(50) {
      disk.fail(pick(1..<60), [.inputOutput, .short, .kill][pick(0..<3)])
      _ = run("index") { store in try Indexer(store: store, log: .silent).run() }
      disk.clearFaults()
    }
    files = MemoryFiles(disk: disk)
    defer { files.kill() }
    let isDone = attempt("index") {
      try Indexer(store: store(files, .reading), log: .silent).run()
      let indexed = try catalogue()
      try Indexer(store: store(files, .reading), log: .silent).run(rebuild: true)
      let rebuilt = try catalogue()
      if indexed != rebuilt {
        let less = Set(rebuilt).subtracting(indexed).sorted()
        let more = Set(indexed).subtracting(rebuilt).sorted()
        fail("the catalogue is not what a rebuild gives: too much \(more), too little \(less)")
      }
      for (id, state) in erasures where state == .gone && rebuilt.contains(where: { $0.contains("call|\(id)") }) {
        fail("call \(id) was erased and is in the catalogue")
      }
      note("catalogue compared")
    }
    if !isDone { fail("the archive cannot be indexed") }
  }

  private func catalogue() throws -> [String] {
    var lines: [String] = []
    let queries = [
      "SELECT 'call', call_id, state, complete, text, defects, archive_file, archive_offset, leaf_hash FROM v_calls",
      "SELECT 'damage', file, offset, calls, message FROM damage", "SELECT 'erased', * FROM erased",
      "SELECT 'source', * FROM sources",
    ]
    for sql in queries {
      try CatalogueReader(path: path + "/catalogue.sqlite").query(sql) { row in
        lines.append((0..<row.count).map { row.text($0) ?? row.integer($0).map { "\($0)" } ?? "-" }.joined(separator: "|"))
      }
    }
    return lines.sorted()
  }
}
