import Dispatch
import Synchronization
import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Kills, damage, other versions, readers and rivals.
@Suite struct IndexerFaultTests {
  private func indexer(_ test: TestStore) -> Indexer { Indexer(store: test.store, log: test.log) }

  private func store(calls: Int) throws -> TestStore {
    let test = try TestStore()
    let writer = try test.writer()
    for number in 0..<calls { TestCall.text(number, startedAt: noon + Int64(number) * second).record(with: writer) }
    _ = writer.flush()
    try writer.close()
    return test
  }

  private func overwrite(_ path: String, _ text: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }

  private func code(_ body: () throws -> Void) -> TapeError.Code? {
    do { try body() } catch { return (error as? TapeError)?.code }
    return nil
  }

  @Test func aMissingCatalogueNamesTheCommand() throws {
    let test = try store(calls: 1)
    let error = #expect(throws: TapeError.self) { try CatalogueReader(path: test.store.cataloguePath) }
    #expect(error?.code == .catalogueMissing)
    #expect(error?.description.contains("`tapedeck index`") == true)
  }

  @Test func filesAreForTheOwnerOnly() throws {
    let test = try store(calls: 1)
    try indexer(test).run()
    // Keeps the WAL files there.
    let writer = try CatalogueWriter(path: test.store.cataloguePath)
    try writer.transaction { try $0.setSource("x", kind: "journal", bytes: 1) }
    for suffix in ["", "-wal", "-shm"] {
      var status = stat()
      try #require(stat(test.store.cataloguePath + suffix, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600, "\(suffix)")
    }
  }

  /// What a catalogue may be instead of one, and what has to happen.
  enum Ruin: String, CaseIterable { case olderVersion, newerVersion, notSQLite, empty, foreign, tornPages }

  private func ruin(_ path: String, _ how: Ruin) throws {
    switch how {
    case .olderVersion, .newerVersion, .foreign:
      let pragma =
        switch how {
        case .olderVersion: "user_version = 0"
        case .newerVersion: "user_version = \(Catalogue.version + 1)"
        default: "application_id = 7"
        }
      let writer = try CatalogueWriter(path: path)
      try writer.execute("PRAGMA \(pragma)")
      try writer.close()
    case .notSQLite: try overwrite(path, "this is no database, whatever its name says, and it is long enough")
    case .empty: try overwrite(path, "")
    case .tornPages:
      let descriptor = open(path, O_WRONLY)
      _ = [UInt8](repeating: 0xA5, count: 64).withUnsafeBytes { pwrite(descriptor, $0.baseAddress, 64, 100) }
      close(descriptor)
    }
  }

  @Test(arguments: Ruin.allCases)
  func aRuinedCatalogueAsksForARebuildAndGetsIt(how: Ruin) throws {
    let test = try store(calls: 3)
    try indexer(test).run()
    let before = try dump(test.store.cataloguePath)
    try ruin(test.store.cataloguePath, how)
    let read = #expect(throws: TapeError.self) { try dump(test.store.cataloguePath) }
    #expect(read?.code == .catalogueStale)
    #expect(read?.description.contains("`tapedeck index --rebuild`") == true)
    if how != .empty {
      #expect(code { try indexer(test).run() } == .catalogueStale)
    }
    try indexer(test).run(rebuild: true)
    #expect(difference(before, try dump(test.store.cataloguePath)) == [])
  }

  @Test func readersSeeTheOldCatalogueOrTheNewOneDuringARebuild() throws {
    let test = try store(calls: 20)
    try indexer(test).run()
    let reader = try CatalogueReader(path: test.store.cataloguePath)
    func count() throws -> Int? { try reader.snapshot { try $0.integer("SELECT count(*) FROM v_calls") } }
    try test.record(TestCall.text(21, startedAt: noon + 21 * second))
    let seen = Mutex<[Int?]>([])
    try indexer(test).run(rebuild: true) { _ in
      let now = try? count()
      seen.withLock { $0.append(now) }
    }
    #expect(seen.withLock { Set($0) } == [20])
    #expect(try count() == 21)
    #expect(access(test.store.cataloguePath + ".rebuild", F_OK) != 0)
  }

  /// A reader inside a transaction keeps its state, whatever is swapped in meanwhile.
  @Test func aSnapshotOutlivesARebuild() throws {
    let test = try store(calls: 5)
    try indexer(test).run()
    let reader = try CatalogueReader(path: test.store.cataloguePath)
    try reader.snapshot { snapshot in
      #expect(try snapshot.integer("SELECT count(*) FROM calls") == 5)
      try test.record(TestCall.text(6, startedAt: noon + 6 * second))
      try indexer(test).run(rebuild: true)
      #expect(try snapshot.integer("SELECT count(*) FROM calls") == 5)
    }
    #expect(try reader.snapshot { try $0.integer("SELECT count(*) FROM calls") } == 6)
  }

  /// A run that dies at any row leaves what the next run completes: also between two transactions.
  @Test func aRunThatDiesAnywhereIsCompletedByTheNext() throws {
    struct Killed: Error {}
    let test = try TestStore()
    for (number, call) in sampleCalls().enumerated() {
      try test.record(call)
      if number % 3 == 2 { _ = try Sealer(store: test.store, log: test.log).seal() }
    }
    try indexer(test).run(rebuild: true)
    let whole = try dump(test.store.cataloguePath)
    var step = 0
    var isThrough = false
    while !isThrough {
      step += 1
      for suffix in ["", "-wal", "-shm"] { unlink(test.store.cataloguePath + suffix) }
      let writer = try CatalogueWriter(path: test.store.cataloguePath)
      let session = IndexSession(store: test.store, writer: writer, log: test.log)
      var written = 0
      session.onWrite = {
        written += 1
        if written == step { throw Killed() }
      }
      do {
        try session.catchUp { _ in }
        isThrough = true
      } catch {
        #expect(error is Killed)
      }
      try writer.close()
      try indexer(test).run()
      #expect(difference(whole, try dump(test.store.cataloguePath)) == [], "died at row \(step)")
    }
    #expect(step > 11)
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(11)]])
  }

  @Test func aSecondRunWaitsForTheFirst() throws {
    let test = try store(calls: 2)
    let lock = try CatalogueLock.attempt(path: test.store.path + "/catalogue.lock", purpose: .run)
    #expect(lock != nil)
    var impatient = indexer(test)
    impatient.patienceMs = 100
    #expect(code { try impatient.run() } == .locked)
    withExtendedLifetime(lock) {}
  }

  @Test func aFollowerSeesCallsComeAndGoAndDoesTheWorkOfARun() throws {
    let test = try TestStore()
    let stop = Atomic(false)
    let done = DispatchSemaphore(value: 0)
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue(label: "follower").async {
      do {
        try Indexer(store: test.store, log: test.log).follow { stop.load(ordering: .relaxed) }
      } catch {
        failure.withLock { $0 = error }
      }
      done.signal()
    }
    let call = TestCall.text(1, startedAt: noon)
    let writer = try test.writer()
    let handle = call.begin(with: writer)
    call.addFrames(0..<1, handle, with: writer)
    _ = writer.flush()
    try waitUntil("the open call is there") {
      try rows(test.store.cataloguePath, "SELECT state, text FROM calls") == [[.text("open"), .text("Hel")]]
    }
    call.addFrames(1..<call.frames.count, handle, with: writer)
    call.end(handle, with: writer)
    _ = writer.flush()
    try writer.close()
    let report = try indexer(test).run()
    #expect(report.leftTo == getpid())
    #expect(try rows(test.store.cataloguePath, "SELECT state, text FROM calls") == [[.text("done"), .text("Hello")]])
    #expect(code { try indexer(test).run(rebuild: true) } == .locked)
    // A second follower waits to take over, and goes when it is told to.
    let looks = Atomic(0)
    try indexer(test).follow { looks.add(1, ordering: .relaxed).newValue > 2 }
    #expect(looks.load(ordering: .relaxed) > 2)

    // What was recorded before the stop is in the catalogue after it.
    try test.record(TestCall.text(2, startedAt: noon + second))
    stop.store(true, ordering: .relaxed)
    done.wait()
    #expect(failure.withLock { $0 == nil })
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(2)]])
    let followed = try dump(test.store.cataloguePath)
    try indexer(test).run(rebuild: true)
    #expect(difference(followed, try dump(test.store.cataloguePath)) == [])
  }

  /// Asks again and again for up to 20 s.
  private func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    for _ in 0..<400 {
      if (try? condition()) == true { return }
      usleep(50_000)
    }
    Issue.record("\(what): not within 20 s")
  }

  @Test func aFileThatWentTakesItsCallsAlong() throws {
    let test = try TestStore()
    try test.record(TestCall.text(1, startedAt: noon))
    try indexer(test).run()
    let journal = try #require(try test.store.files.list(test.store.archivePath).first)
    try test.record(TestCall.text(2, startedAt: noon + second))
    unlink(test.store.archivePath + "/" + journal)
    let report = try indexer(test).run()
    #expect(report.removedCalls == 1)
    #expect(try rows(test.store.cataloguePath, "SELECT started_ns FROM calls") == [[.integer(noon + second)]])
    let found = try rows(
      test.store.cataloguePath, "SELECT rowid FROM call_fts WHERE call_fts MATCH 'hello'")
    #expect(found.count == 1)
  }

  /// Damage inside of a sealed file: the rest is indexed, and what is damaged is said, in every order of events.
  @Test func damageInASegmentIsNotedAndTheRestIndexed() throws {
    let test = try store(calls: 5)
    _ = try Sealer(store: test.store, log: test.log).seal()
    let segment = try #require(try test.store.files.list(test.store.archivePath).first { $0.hasPrefix("S-") })
    try test.record(TestCall.text(9, startedAt: noon + 9 * second))
    let descriptor = open(test.store.archivePath + "/" + segment, O_RDWR)
    let size = lseek(descriptor, 0, SEEK_END)
    _ = [UInt8](repeating: 0xA5, count: 64).withUnsafeBytes { pwrite(descriptor, $0.baseAddress, 64, size / 2) }
    close(descriptor)

    let report = try indexer(test).run()
    #expect(report.damage.map(\.file).contains(segment))
    #expect(try rows(test.store.cataloguePath, "SELECT started_ns FROM calls").contains([.integer(noon + 9 * second)]))
    #expect(try rows(test.store.cataloguePath, "SELECT file FROM damage").contains([.text(segment)]))
    let before = try dump(test.store.cataloguePath)
    try indexer(test).run(rebuild: true)
    #expect(difference(before, try dump(test.store.cataloguePath)) == [])
  }

  /// A pipe, a directory or a link to itself under the name of a journal or segment stops nobody and is told.
  @Test func whatIsNoFileIsLeftAlone() throws {
    let test = try store(calls: 2)
    let archive = test.store.archivePath
    let id = "01JD0Z6Q8R3T5V7W9XABCDEFGH"
    let names = [
      "J-\(id)-000001.tape", "J-\(id)-000002.tape", "S-\(id)-000001-000002.tape.zst", "S-\(id)-000003-000004.tape.zst",
    ]
    try #require(mkfifo(archive + "/" + names[0], 0o600) == 0)
    try #require(mkdir(archive + "/" + names[1], 0o700) == 0)
    try #require(mkfifo(archive + "/" + names[2], 0o600) == 0)
    try #require(symlink(names[3], archive + "/" + names[3]) == 0)
    let report = try indexer(test).run()
    #expect(report.calls == 2)
    #expect(report.damage.map(\.file) == names)
    let damage = try rows(test.store.cataloguePath, "SELECT file FROM damage ORDER BY file")
    #expect(damage == names.map { [.text($0)] })
    let sealed = try Sealer(store: test.store, log: test.log).seal()
    #expect(sealed.sealedCalls == 2)
    #expect(sealed.damage.map(\.file) == names)
    var met: [String] = []
    var calls = 0
    try ArchiveReader(store: test.store).allCalls(onDamage: { met.append($0.file) }) { _, _ in calls += 1 }
    #expect(met == names)
    #expect(calls == 2)
    #expect(try ArchiveReader(store: test.store).files().map(\.kind) == [.segment, .checkpoint])

    // A file in the place of one is read, and what went is forgotten.
    let segment = try #require(sealed.segments.first)
    unlink(archive + "/" + names[2])
    try #require(rename(archive + "/" + segment, archive + "/" + names[2]) == 0)
    try indexer(test).run()
    #expect(try rows(test.store.cataloguePath, "SELECT DISTINCT archive_file FROM calls") == [[.text(names[2])]])
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM damage") == [[.integer(3)]])
  }

  /// Changes a byte in the last text frame of the first call of a store's journal.
  private func damageJournal(_ test: TestStore) throws {
    let name = try #require(try test.store.files.list(test.store.archivePath).first { $0.hasPrefix("J-") })
    let path = test.store.archivePath + "/" + name
    let bytes = try test.store.files.contents(path, limit: 1 << 20)
    let at = try #require(bytes.firstRange(of: Array("[DONE]".utf8))?.lowerBound)
    let descriptor = open(path, O_RDWR)
    _ = [UInt8(0x21)].withUnsafeBytes { pwrite(descriptor, $0.baseAddress, 1, off_t(at)) }
    close(descriptor)
  }

  /// What damage in a journal took from a call is said of that call, before and after sealing, in every way of indexing.
  @Test func aCallThatIsNotWholeSaysSo() throws {
    let test = try store(calls: 2)
    try damageJournal(test)
    let report = try indexer(test).run()
    let call = try #require(report.damage.flatMap(\.calls).first)
    let defects = try rows(
      test.store.cataloguePath, "SELECT complete, defects FROM calls WHERE call_id = ?", [.text(call.description)])
    #expect(defects.first?.first == .integer(0))
    #expect("\(defects)".contains("the archive is damaged: "))
    #expect("\(defects)".contains(" response bytes are on tape"))
    let whole = try rows(test.store.cataloguePath, "SELECT count(*) FROM calls WHERE complete")
    #expect(whole == [[.integer(1)]])

    let incremental = try dump(test.store.cataloguePath)
    try indexer(test).run(rebuild: true)
    #expect(difference(incremental, try dump(test.store.cataloguePath)) == [])

    #expect(try !Sealer(store: test.store, log: test.log).seal().damage.isEmpty)
    let sealed = try indexer(test).run()
    #expect(sealed.damage.map(\.calls) == [[call]])
    let noted = try rows(test.store.cataloguePath, "SELECT file LIKE 'S-%', calls FROM damage")
    #expect(noted == [[.integer(1), .text("[\"\(call)\"]")]])
    let moved = try dump(test.store.cataloguePath)
    let rebuilt = try indexer(test).run(rebuild: true)
    #expect(rebuilt.damage.map(\.calls) == [[call]])
    #expect(difference(moved, try dump(test.store.cataloguePath)) == [])
  }

  @Test func aCatalogueDeletedUnderAFollowerIsMadeAgain() throws {
    let test = try store(calls: 2)
    var looks = 0
    try indexer(test).follow {
      looks += 1
      if looks == 1 { unlink(test.store.cataloguePath) }
      return looks > 6
    }
    #expect(try rows(test.store.cataloguePath, "SELECT count(*) FROM calls") == [[.integer(2)]])
  }
}
