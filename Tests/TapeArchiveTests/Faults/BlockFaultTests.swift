import TapeArchive
import TapeTypes
import Testing

/// Blocks and whole segments that are missing, repeated or exchanged.
@Suite struct BlockFaultTests {
  enum Change: CaseIterable { case deleted, duplicated, swapped, replacedByAnother }

  /// A segment of three blocks.
  private func segment() throws -> (files: MemoryFiles, store: Store, name: String, entries: [SegmentEntry]) {
    var generator = Seeded(state: 31)
    let files = MemoryFiles()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, log: quiet)
    for index in 0..<(2 * SegmentFormat.callsPerBlock + 20) {
      let call = writer.open(makeOpen(&generator))
      writer.frame(call, 1, "data: \(index)\n\n")
      writer.end(call, offsetNs: 2, cause: .endOfBody)
    }
    try writer.close()
    let name = try #require(Sealer(store: store, log: quiet).seal().segments.first)
    return (files, store, name, try SegmentReader(store: store, name: name).entries)
  }

  @Test(arguments: Change.allCases) func aBlockThatIsNotWhereItWasIsFound(change: Change) throws {
    let (files, store, name, entries) = try segment()
    let whole = try Tape(store)
    #expect(whole.damage == [])
    let path = store.archivePath + "/" + name
    let bytes = files.bytes(path)
    let starts = Set(entries.map(\.blockOffset)).sorted()
    try #require(starts.count == 3)
    let (first, second) = (bytes[starts[0]..<starts[1]], bytes[starts[1]..<starts[2]])
    let (before, behind) = (bytes[..<starts[0]], bytes[starts[2]...])
    switch change {
    case .deleted: files.set(path, Array(before + second + behind))
    case .duplicated: files.set(path, Array(before + first + first + second + behind))
    case .swapped: files.set(path, Array(before + second + first + behind))
    case .replacedByAnother: files.set(path, Array(before + first + first + behind))
    }
    let tape = try Tape(store)
    #expect(!tape.damage.isEmpty)
    // What is given out is right; what is not is named.
    for (id, call) in tape.calls { #expect(call == whole.calls[id]) }
    let named = Set(tape.damage.flatMap(\.calls))
    for id in whole.calls.keys where tape.calls[id] == nil { #expect(named.contains(id), "\(change) \(id)") }
  }

  @Test func theSameSegmentTwiceIsOneAndADifferentOneIsReported() throws {
    var generator = Seeded(state: 32)
    let open = makeOpen(&generator)
    func sealed(_ text: String) throws -> (MemoryFiles, Store, String) {
      let files = MemoryFiles()
      let store = try memoryStore(files)
      let writer = try JournalWriter(store: store, log: quiet)
      let call = writer.open(open)
      writer.frame(call, 1, text)
      writer.end(call, offsetNs: 2, cause: .endOfBody)
      try writer.close()
      return (files, store, try #require(Sealer(store: store, log: quiet).seal().segments.first))
    }
    let (files, store, name) = try sealed("data: one\n\n")
    let path = store.archivePath + "/" + name
    let copy = path.replacing("-000001.tape.zst", with: "-000009.tape.zst")
    files.set(copy, files.bytes(path))
    let twice = try Tape(store)
    #expect((twice.damage, twice.calls.count) == ([], 1))
    let (other, otherStore, otherName) = try sealed("data: two\n\n")
    files.set(copy, other.bytes(otherStore.archivePath + "/" + otherName))
    let both = try Tape(store)
    #expect(both.damage.map(\.calls) == [[open.id]])
    #expect(both.calls[open.id]?.raw == Array("data: one\n\n".utf8))
  }

  /// A journal that goes from the middle, or is taken for another, is told.
  @Test func aJournalThatIsExchangedForAnotherIsNoneOfItsWriter() throws {
    let (disk, _) = try SealingFaultTests.archive()
    let names = disk.paths.filter { $0.contains("/J-") && $0.hasSuffix(".tape") }
    let (left, right) = (names[0], names[1])
    let (a, b) = (disk.bytes(left), disk.bytes(right))
    disk.set(left, b)
    disk.set(right, a)
    let store = try Store(path: "/s", access: .writing, files: MemoryFiles(disk: disk), clock: ManualClock())
    let tape = try Tape(store)
    #expect(!tape.damage.isEmpty)
    let before = try Tape(
      Store(
        path: "/s", access: .reading, files: MemoryFiles(disk: SealingFaultTests.archive().disk), clock: ManualClock()))
    for (id, call) in tape.calls where before.calls[id] != nil {
      #expect(before.calls[id]?.raw.starts(with: call.raw) == true)
    }
  }
}
