import TapeArchive
import TapeTypes
import Testing

/// Disks that run full, fail, lie or tear.
@Suite struct JournalFaultTests {
  @Test func aDamagedEndNamesTheCallThatLostIt() throws {
    var generator = Seeded(state: 21)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let open = makeOpen(&generator)
    let handle = writer.open(open)
    writer.frame(handle, 1, "data: 1\n\n")
    writer.end(handle, offsetNs: 2, cause: .endOfBody)
    try writer.close()
    let path = store.archivePath + "/" + (try #require(store.archiveNames.first))
    var bytes = files.bytes(path)
    let at = try #require(bytes.firstRange(of: Array("end_of_body".utf8))?.lowerBound)
    bytes[at] ^= 1
    files.set(path, bytes)
    let read = try Collector.all(store)
    #expect(read.lost == [open.id])
    #expect(read.damage.first?.calls == [open.id])
  }

  @Test(arguments: [0, 1, 10, 57, 300]) func aFullDiskLeavesACountedGap(room: Int) throws {
    var generator = Seeded(state: 1)
    let files = MemoryFiles()
    let clock = ManualClock()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, clock: clock, log: quiet)
    let open = makeOpen(&generator)
    let call = writer.open(open)
    writer.frame(call, 1, "data: before\n\n")
    #expect(writer.flush() == .written)

    files.setRoom(room)
    let during = writer.open(makeOpen(&generator, startedAtNs: 5))
    for index in 0..<20 { writer.frame(call, Int64(10 + index), "data: lost \(index)\n\n") }
    writer.part(call, 40, "data: half")
    guard case .failing = writer.flush() else {
      Issue.record("the write should have failed")
      return
    }
    writer.frame(call, 41, " lost\n\n")
    writer.end(during, offsetNs: 3, cause: .endOfBody)
    // Reading at this moment gives what was safe, and no damage.
    let meanwhile = try Collector.all(store)
    #expect(meanwhile.calls[open.id]?.frameCount == 1)
    #expect(meanwhile.damage.isEmpty)

    files.setRoom(.max)
    clock.advance(seconds: 2)
    #expect(writer.flush() == .written)
    writer.frame(call, 50, "data: after\n\n")
    writer.end(call, offsetNs: 60, cause: .endOfBody)
    #expect(writer.flush() == .written)
    #expect(writer.counters.gapFrames == 21)
    try writer.close()

    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    #expect(read.gaps[open.id] == 21)
    let end = try #require(read.calls[open.id]?.end)
    #expect(read.calls[open.id]?.raw == Array("data: before\n\ndata: after\n\n".utf8))
    #expect((end.frames, end.gapFrames) == (23, 21))
    #expect(end.sha256 == nil)
    // The call that started and ended while nothing could be written is there, whole.
    let other = try #require(read.calls.values.first { $0.open.startedAtNs == 5 })
    #expect(other.end?.sha256 == sha256([]))
  }

  @Test func aGapInsideAFrameKeepsItsStart() throws {
    var generator = Seeded(state: 1)
    let files = MemoryFiles()
    let clock = ManualClock()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, clock: clock, log: quiet)
    let open = makeOpen(&generator)
    let call = writer.open(open)
    writer.part(call, 1, "data: the sta")
    _ = writer.flush()
    files.setRoom(3)
    writer.part(call, 2, "rt of so")
    _ = writer.flush()
    files.setRoom(.max)
    clock.advance(seconds: 2)
    _ = writer.flush()
    writer.frame(call, 3, "mething\n\n")
    writer.frame(call, 4, "data: next\n\n")
    writer.end(call, offsetNs: 5, cause: .endOfBody)
    try writer.close()

    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    #expect(read.calls[open.id]?.raw == Array("data: the stadata: next\n\n".utf8))
    #expect(read.calls[open.id]?.frameOffsetsNs == [1, 4])
    #expect(read.calls[open.id]?.end?.gapFrames == 1)
    #expect(read.calls[open.id]?.end?.gapBytes == 8 + 9)
  }

  @Test func aJournalThatCannotBeCutBackIsGivenUp() throws {
    var generator = Seeded(state: 2)
    let files = MemoryFiles()
    let clock = ManualClock()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, clock: clock, log: quiet)
    let open = makeOpen(&generator)
    let call = writer.open(open)
    writer.frame(call, 1, "data: before\n\n")
    _ = writer.flush()
    files.setRoom(20)
    files.failTruncates(1)
    writer.frame(call, 2, "data: lost\n\n")
    _ = writer.flush()
    files.setRoom(.max)
    clock.advance(seconds: 2)
    #expect(writer.flush() == .written)
    writer.frame(call, 3, "data: after\n\n")
    writer.end(call, offsetNs: 4, cause: .endOfBody)
    try writer.close()
    #expect(try store.files.list(store.archivePath).count == 2)
    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    #expect(read.calls[open.id]?.raw == Array("data: before\n\ndata: after\n\n".utf8))
    #expect(read.calls[open.id]?.end?.gapFrames == 1)
  }

  @Test func aJournalThatCannotBeFollowedIsGrownOn() throws {
    var generator = Seeded(state: 2)
    let files = MemoryFiles()
    let clock = ManualClock()
    let store = try memoryStore(files)
    var options = JournalOptions()
    options.rollBytes = 100
    let writer = try JournalWriter(store: store, options: options, clock: clock, log: quiet)
    let open = makeOpen(&generator)
    let call = writer.open(open)
    writer.frame(call, 1, "data: one\n\n")
    // Room for this batch, and not for the header of the next journal.
    files.setRoom(900)
    #expect(writer.flush() == .written)
    #expect(try store.files.list(store.archivePath).count == 1)
    files.setRoom(.max)
    writer.frame(call, 2, "data: two\n\n")
    clock.advance(seconds: 2)
    #expect(writer.flush() == .written)
    #expect(try store.files.list(store.archivePath).count == 2)
    writer.end(call, offsetNs: 3, cause: .endOfBody)
    try writer.close()
    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    #expect(read.calls[open.id]?.raw == Array("data: one\n\ndata: two\n\n".utf8))
    #expect(read.calls[open.id]?.end?.gapFrames == 0)
  }

  @Test(arguments: [Durability.strict, .sync])
  func afterAFailedSyncTheRecordsAreWrittenToANewJournal(durability: Durability) throws {
    var generator = Seeded(state: 3)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    var options = JournalOptions()
    options.durability = durability
    options.syncIntervalMs = 1
    let writer = try JournalWriter(store: store, options: options, log: quiet)
    let expected: [RecordedCall]
    if durability == .strict {
      let early = writer.open(makeOpen(&generator))
      writer.frame(early, 1, "data: early\n\n")
      #expect(writer.flush() == .written)
      files.failSyncs(1)
      expected = record(writer, &generator, calls: 4)
      #expect(writer.flush() == .written)
    } else {
      files.failSyncs(1)
      expected = record(writer, &generator, calls: 4)
      // The syncing thread finds out; the writer follows at a flush after that.
      while try store.files.list(store.archivePath).count < 2 { #expect(writer.flush() == .written) }
    }
    try writer.close()
    let survived = try memoryStore(files.afterPowerLoss())
    for journal in try survived.files.list(survived.archivePath) { #expect(journal.hasSuffix(".tape")) }
    for disk in [store, survived] {
      let read = try Collector.all(disk)
      for call in expected { #expect(read.calls[call.open.id] == call) }
      if disk.archivePath == store.archivePath { #expect(read.damage.isEmpty) }
    }
  }

  /// A small journal with two calls, one of them without end.
  private func smallJournal() throws -> (MemoryFiles, path: String, calls: [RecordedCall]) {
    var generator = Seeded(state: 4)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    var writer: JournalWriter? = try JournalWriter(store: store, log: quiet)
    let opens = [makeOpen(&generator), makeOpen(&generator)]
    let handles = opens.compactMap { writer?.open($0) }
    for index in 0..<4 {
      for handle in handles {
        writer?.frame(handle, Int64(index), "data: {\"same\":\"words again\",\"n\":\(index)}\n\n")
      }
      _ = writer?.flush()
    }
    writer?.part(handles[1], 9, "data: ta")
    writer?.end(handles[0], offsetNs: 10, cause: .endOfBody)
    _ = writer?.flush()
    writer = nil
    let name = try #require(store.files.list(store.archivePath).first)
    let read = try Collector.all(store)
    return (files, store.archivePath + "/" + name, opens.compactMap { read.calls[$0.id] })
  }

  @Test func aJournalCutAnywhereGivesWhatIsBeforeTheCut() throws {
    let (files, path, calls) = try smallJournal()
    let bytes = files.bytes(path)
    for length in 0..<bytes.count {
      files.set(path, Array(bytes[..<length]))
      let read = try Collector.all(try memoryStore(files.copy()))
      #expect(read.damage.isEmpty, "cut at \(length)")
      for (id, call) in read.calls {
        let whole = try #require(calls.first { $0.open.id == id })
        #expect(whole.raw.starts(with: call.raw), "cut at \(length)")
        #expect(call.end == nil || call == whole)
        #expect(read.lost.contains(id) == (call.end == nil))
      }
    }
  }

  @Test func anyChangedByteIsFoundAndHurtsNothingElse() throws {
    let (files, path, calls) = try smallJournal()
    let bytes = files.bytes(path)
    for offset in bytes.indices {
      var changed = bytes
      changed[offset] ^= [1, 0x20, 0x80][offset % 3]
      files.set(path, changed)
      let read = try Collector.all(try memoryStore(files.copy()))
      let isSame = calls.allSatisfy { read.calls[$0.open.id] == $0 }
      // The last record (a batch) is a torn tail like any other.
      #expect(!read.damage.isEmpty || offset > bytes.count - 100 || isSame, "byte \(offset)")
      #expect(!read.damage.isEmpty || isSame, "byte \(offset)")
      for (id, call) in read.calls {
        let whole = try #require(calls.first { $0.open.id == id }, "byte \(offset)")
        // Frames may be missing; none is wrong.
        var position = 0
        for index in 0..<call.frameCount {
          let frame = Array(call.raw[call.frameRange(index)])
          while position < whole.frameCount, Array(whole.raw[whole.frameRange(position)]) != frame { position += 1 }
          #expect(position < whole.frameCount, "byte \(offset) changed frame \(index)")
          position += 1
        }
      }
    }
  }

  @Test func textThatLooksLikeRecordsIsNotTakenForOne() throws {
    var generator = Seeded(state: 8)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let call = writer.open(makeOpen(&generator))
    _ = writer.flush()
    let path = store.archivePath + "/" + (try #require(store.files.list(store.archivePath).first))
    // The journal itself as a payload, under another name's checksums, and endless headers.
    writer.frame(call, 1, files.bytes(path).map { $0 == 0x31 ? 0x32 : $0 })
    writer.frame(call, 2, String(repeating: "\n00000000 900000 frame 1 2 3 0", count: 40_000))
    writer.frame(call, 3, "data: x\n\n")
    try writer.close()
    var bytes = files.bytes(path)
    let broken = bytes.count / 2
    bytes[broken] ^= 1
    files.set(path, bytes)
    let read = try Collector.all(store)
    #expect(read.damage.count == 2)
    #expect(read.calls.values.first?.frameCount == 2)
  }
}
