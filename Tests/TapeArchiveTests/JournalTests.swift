import Crypto
import TapeArchive
import TapeTypes
import Testing

func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

/// Journals: what is flushed is read back, whatever happens to the writer.
@Suite struct JournalTests {
  @Test(arguments: 0..<12) func randomCallsComeBackExactly(seed: Int) throws {
    var generator = Seeded(state: UInt64(seed))
    let store = try memoryStore()
    var options = JournalOptions()
    // Small journals, so that calls live across several of them.
    if seed % 2 == 1 { options.rollBytes = 20_000 }
    let writer = try JournalWriter(store: store, options: options, clock: ManualClock(), log: quiet)
    let expected = record(writer, &generator, calls: 20, unended: 7)
    #expect(writer.flush() == .written)
    try writer.close()

    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    #expect(read.order == expected.map(\.open.id))
    for call in expected {
      #expect(read.calls[call.open.id] == call)
      #expect(read.lost.contains(call.open.id) == (call.end == nil))
    }
  }

  @Test func everythingFlushedSurvivesTheDeathOfTheWriter() throws {
    var generator = Seeded(state: 5)
    let store = try memoryStore()
    var writer: JournalWriter? = try JournalWriter(store: store, clock: ManualClock(), log: quiet)
    let open = makeOpen(&generator)
    let call = try #require(writer?.open(open))
    writer?.frame(call, 10, "data: one\n\n")
    writer?.part(call, 20, "data: tw")
    _ = writer?.flush()

    let follower = JournalFollower(store: store)
    var read = Collector()
    try read.poll(follower)
    #expect(read.calls[open.id]?.raw == Array("data: one\n\n".utf8))
    #expect(read.lost.isEmpty)

    writer?.frame(call, 30, "o\n\n")
    writer = nil
    try read.poll(follower)
    #expect(read.calls[open.id]?.raw == Array("data: one\n\ndata: tw".utf8))
    #expect(read.calls[open.id]?.frameOffsetsNs == [10, 20])
    #expect(read.lost == [open.id])
  }

  @Test func aFollowerSeesEachBatchOnce() throws {
    var generator = Seeded(state: 6)
    let clock = ManualClock()
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, clock: clock, log: quiet)
    let follower = JournalFollower(store: store)
    var read = Collector()
    let open = makeOpen(&generator)
    let call = writer.open(open)
    var expected: [UInt8] = []
    for index in 0..<200 {
      let text = "data: {\"n\":\(index),\"text\":\"the same again and again\"}\n\n"
      writer.frame(call, Int64(index), text)
      expected += Array(text.utf8)
      if index % 3 == 0 {
        _ = writer.flush()
        try read.poll(follower)
        #expect(read.calls[open.id]?.raw == expected)
      }
      // A new journal every hundred frames.
      if index % 100 == 50 { clock.advance(seconds: 400) }
    }
    writer.end(call, offsetNs: 1, cause: .clientClosed, clientClosedNs: 1)
    _ = writer.flush()
    try read.poll(follower)
    try read.poll(follower)
    #expect(read.calls[open.id]?.raw == expected)
    #expect(read.calls[open.id]?.frameCount == 200)
    #expect(read.calls[open.id]?.end?.sha256 == sha256(expected))
    #expect(read.order.count == 1)
    let journals = try store.files.list(store.archivePath)
    #expect(journals.count == 3)
  }

  @Test func repeatedFramesAreStoredAsDifferences() throws {
    var generator = Seeded(state: 6)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, clock: ManualClock(), log: quiet)
    let call = writer.open(makeOpen(&generator))
    let filler = String(repeating: "x", count: 400)
    for index in 0..<1000 { writer.frame(call, Int64(index), "data: \(filler)\(index)\(filler)\n\n") }
    _ = writer.flush()
    let size = files.bytes(store.archivePath + "/" + (try #require(store.files.list(store.archivePath).first))).count
    #expect(size < 100_000)
  }

  @Test func aHugeFrameInPiecesComesBack() throws {
    var generator = Seeded(state: 10)
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, clock: ManualClock(), log: quiet)
    let open = makeOpen(&generator, body: [UInt8](repeating: 0x61, count: 3 << 20))
    let call = writer.open(open)
    let piece = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    writer.frame(call, 1, piece)
    for index in 0..<9 {
      writer.part(call, Int64(index), piece)
      _ = writer.flush()
    }
    writer.frame(call, 10, piece)
    writer.frame(call, 11, "data: small\n\n")
    writer.end(call, offsetNs: 12, cause: .endOfBody)
    try writer.close()
    let read = try Collector.all(store)
    let expected = Array(repeatElement(piece, count: 11).joined()) + Array("data: small\n\n".utf8)
    #expect(read.calls[open.id]?.frameEnds == [1 << 20, 11 << 20, 11 << 20 + 13])
    #expect(read.calls[open.id]?.raw == expected)
    #expect(read.calls[open.id]?.end?.sha256 == sha256(expected))
    _ = try Sealer(store: store, log: quiet).seal()
    let found = try ArchiveReader(store: store).find(open.id)
    #expect(found?.call == read.calls[open.id])
  }

  @Test func twoWritersShareAStore() throws {
    var generator = Seeded(state: 9)
    let store = try memoryStore()
    let first = try JournalWriter(store: store, log: quiet)
    let second = try JournalWriter(store: store, log: quiet)
    let expected = record(first, &generator, calls: 5) + record(second, &generator, calls: 5)
    _ = first.flush()
    _ = second.flush()
    try first.close()
    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    for call in expected { #expect(read.calls[call.open.id] == call) }
    try second.close()
  }

  @Test func aWriterWithoutCallsLeavesNothing() throws {
    let store = try memoryStore()
    try JournalWriter(store: store, log: quiet).close()
    #expect(try store.files.list(store.archivePath).isEmpty)
  }

  @Test func theJournalIsReadableText() throws {
    var generator = Seeded(state: 6)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    let open = makeOpen(&generator)
    let call = writer.open(open)
    writer.frame(call, 123_456, "data: hello\n\n")
    _ = writer.flush()
    let name = try #require(store.files.list(store.archivePath).first)
    #expect(name == "J-\(writer.writerID)-000001.tape")
    let text = String(decoding: files.bytes(store.archivePath + "/" + name), as: UTF8.self)
    #expect(text.contains(" journal tapedeck-journal/1 \(writer.writerID) 1 "))
    #expect(text.contains(" open 1 \(open.id) "))
    #expect(text.contains(" 13 frame 1 0 123456 0\ndata: hello\n\n\n"))
  }
}
