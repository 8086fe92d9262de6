import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeArchive

@Suite struct RepackTests {
  /// A store of three segments, the second with a tombstone, and what is in them.
  private func store(seed: UInt64) throws -> (MemoryFiles, Store, [CallID: RecordedCall]) {
    var generator = Seeded(state: seed)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    var calls: [CallID: RecordedCall] = [:]
    for _ in 0..<3 {
      let writer = try JournalWriter(store: store, log: quiet)
      for call in record(writer, &generator, calls: 12) { calls[call.open.id] = call }
      try writer.close()
      _ = try Sealer(store: store, level: 1, log: quiet).seal()
    }
    return (files, store, calls)
  }

  private func leaves(_ store: Store) throws -> [[UInt8]] {
    var leaves: [[UInt8]] = []
    for name in segmentsIn(store) { try SegmentReader(store: store, name: name).forEachItem { leaves.append($2) } }
    return leaves
  }

  @Test func everyCallAndEveryProofStays() throws {
    let (_, store, calls) = try store(seed: 1)
    let (before, root, names) = (try leaves(store), try ArchiveTree(store: store).end()?.root, store.archiveNames)
    let report = try Repacker(store: store, level: 19, log: quiet).repack()
    #expect(report.rewritten.count == 3 && report.bytesAfter < report.bytesBefore)
    #expect(try leaves(store) == before)
    #expect(try ArchiveTree(store: store).end()?.root == root)
    #expect(store.archiveNames == names)
    #expect(try store.everything().calls == calls)
  }

  @Test func aPlaceFromBeforeStillLeadsToItsCall() throws {
    let (_, store, _) = try store(seed: 2)
    var places: [(CallID, CallLocation)] = []
    try ArchiveReader(store: store).allCalls { call, location in places.append((call.open.id, location)) }
    _ = try Repacker(store: store, level: 19, log: quiet).repack()
    for (id, place) in places { #expect(try ArchiveReader(store: store).call(at: place, id: id).open.id == id) }
  }

  @Test func whatIsSoAlreadyIsNotTouched() throws {
    let (files, store, _) = try store(seed: 3)
    _ = try Repacker(store: store, level: 19, log: quiet).repack()
    let before = segmentsIn(store).map { files.bytes(store.archivePath + "/" + $0) }
    for level in [19, 3] {
      let report = try Repacker(store: store, level: level, log: quiet).repack()
      #expect(report.rewritten.isEmpty && report.kept == 3 && report.bytesAfter == report.bytesBefore)
    }
    #expect(segmentsIn(store).map { files.bytes(store.archivePath + "/" + $0) } == before)
  }

  @Test func aDamagedSegmentIsLeftAsItIsAndTheOthersAreRepacked() throws {
    let (files, store, _) = try store(seed: 4)
    let hurt = try #require(segmentsIn(store).first)
    var bytes = files.bytes(store.archivePath + "/" + hurt)
    bytes[bytes.count / 2] ^= 1
    files.set(store.archivePath + "/" + hurt, bytes)
    let report = try Repacker(store: store, level: 19, log: quiet).repack()
    #expect(report.damage.map(\.file) == [hurt] && report.rewritten.count == 2)
    #expect(files.bytes(store.archivePath + "/" + hurt) == bytes)
  }

  @Test func itWaitsForNobodyToSeal() throws {
    let (_, store, _) = try store(seed: 5)
    let held = try #require(try store.lock(wait: false))
    let error = #expect(throws: TapeError.self) { try Repacker(store: store, level: 19, log: quiet).repack() }
    #expect(error?.code == .locked)
    held.release()
  }
}
