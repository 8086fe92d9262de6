import TapeArchive
import TapeTypes
import Testing

/// Whatever is done to a sealed store, `verify` says it, and whom it concerns.
@Suite struct VerifyTests {
  @Test func aStoreAsItWasSealedIsSound() throws {
    let sealed = try SealedStore()
    let report = try sealed.verify()
    #expect(report.damage == [])
    #expect(report.notes == [])
    #expect(report.sealedCalls == 9)
    #expect(report.segments == 3)
    #expect(report.treeSize == 9)
    #expect(report.checkpoints.map(\.result) == [.same])
    #expect(report.root == report.checkpoints.first?.root)
  }

  @Test func everyChangedBitOfASegmentIsReportedWithItsCalls() throws {
    let sealed = try SealedStore(seals: 2)
    let (name, calls) = sealed.segments[0]
    let bytes = sealed.bytes(name)
    for offset in bytes.indices {
      for bit in Set([offset % 8, 4]) {
        var changed = bytes
        changed[offset] ^= 1 << UInt8(bit)
        sealed.set(name, changed)
        let report = try sealed.verify()
        #expect(report.damage.contains { $0.file == name }, "byte \(offset) bit \(bit)")
        #expect(sealed.affected(report) == Set(calls), "byte \(offset) bit \(bit): \(report.damage)")
      }
    }
  }

  @Test func everyChangedByteOfTheOwnCheckpointIsReported() throws {
    let sealed = try SealedStore(seals: 1)
    let bytes = sealed.bytes("checkpoint")
    for offset in bytes.indices {
      var changed = bytes
      changed[offset] ^= 1 << UInt8(offset % 7)
      sealed.set("checkpoint", changed)
      #expect(try sealed.verify().damage.contains { $0.file == "checkpoint" }, "byte \(offset)")
    }
  }

  @Test func aSegmentCutAnywhereIsReported() throws {
    let sealed = try SealedStore(seals: 1)
    let (name, _) = sealed.segments[0]
    let bytes = sealed.bytes(name)
    for length in bytes.indices {
      sealed.set(name, Array(bytes[..<length]))
      #expect(try sealed.verify().damage.contains { $0.file == name }, "cut at \(length)")
    }
  }

  @Test(arguments: ["end", "start", "between"]) func bytesThatWereAddedAreReported(place: String) throws {
    let sealed = try SealedStore(seals: 1)
    let (name, calls) = sealed.segments[0]
    var bytes = sealed.bytes(name)
    let block = try SegmentReader(store: sealed.store, name: name).entries[0].blockOffset
    // A skippable frame of nothing, which stock zstd passes over.
    bytes.insert(
      contentsOf: [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0], at: place == "end" ? bytes.count : place == "start" ? 0 : block)
    sealed.set(name, bytes)
    let report = try sealed.verify()
    #expect(report.damage.contains { $0.file == name })
    if place != "start" { #expect(sealed.affected(report) == Set(calls)) }
  }

  @Test func blocksThatWereExchangedAreReportedWithTheirCalls() throws {
    let sealed = try SealedStore(seals: 1, calls: 2 * SegmentFormat.callsPerBlock + 50)
    let (name, calls) = sealed.segments[0]
    let offsets = try SegmentReader(store: sealed.store, name: name).entries.map(\.blockOffset)
    let blocks = Array(Set(offsets)).sorted()
    try #require(blocks.count == 3)
    let bytes = sealed.bytes(name)
    let first = bytes[blocks[0]..<blocks[1]]
    let second = bytes[blocks[1]..<blocks[2]]
    sealed.set(name, Array([bytes[..<blocks[0]], second, first, bytes[blocks[2]...]].joined()))
    let exchanged = try sealed.verify()
    #expect(sealed.affected(exchanged).isSuperset(of: zip(calls, offsets).filter { $0.1 < blocks[2] }.map(\.0)))
    // One of them twice, the other gone.
    sealed.set(name, Array([bytes[..<blocks[1]], first, bytes[blocks[2]...]].joined()))
    #expect(try !sealed.affected(sealed.verify()).isEmpty)
  }

  @Test func aRemovedNewestSegmentIsReportedByTheOwnCheckpointAndAKeptOne() throws {
    let sealed = try SealedStore()
    let kept = try ProofMaker(store: sealed.store).checkpoint()
    try sealed.remove(sealed.segments[2].name)
    let report = try sealed.verify(kept)
    #expect(report.checkpoints.map(\.result) == [.removed, .removed])
    #expect(report.damage.map(\.file) == ["checkpoint", "kept"])
    #expect(report.damage.allSatisfy { $0.message.contains("leaves 6 to 8") })
    // With the store's own gone too only the kept one tells what; that it is gone shows.
    try sealed.remove("checkpoint")
    let without = try sealed.verify(kept)
    #expect(without.damage.map(\.file).sorted() == ["checkpoint", "kept"])
  }

  @Test(arguments: [0, 1]) func aRemovedOlderSegmentIsReportedAsMissingLeaves(index: Int) throws {
    let sealed = try SealedStore()
    let kept = try ProofMaker(store: sealed.store).checkpoint()
    try sealed.remove(sealed.segments[index].name)
    let report = try sealed.verify(kept)
    #expect(report.damage.map(\.file) == [sealed.segments[index + 1].name])
    #expect(report.damage[0].message.contains("leaves \(index * 3) to \(index * 3 + 2) are in no file"))
    // The files behind it say what the tree was before them, so the root stands.
    #expect(report.checkpoints.map(\.result) == [.same, .same])
    #expect(throws: TapeError.self) { try ProofMaker(store: sealed.store).checkpoint() }
  }

  @Test func whatIsSealedBehindARemovedSegmentLeavesItsPlaceFree() throws {
    var sealed = try SealedStore()
    let kept = try ProofMaker(store: sealed.store).checkpoint()
    let (name, _) = sealed.segments[2]
    let bytes = sealed.bytes(name)
    try sealed.remove(name)
    var generator = Seeded(state: 99)
    try sealed.seal(2, &generator)
    let short = try sealed.verify(kept)
    #expect(short.treeSize == 11)
    #expect(short.damage.map(\.message).contains { $0.contains("leaves 6 to 8 are in no file") })
    // It comes back from a backup: everything fits.
    sealed.set(name, bytes)
    let whole = try sealed.verify(kept)
    #expect(whole.damage == [])
    #expect(whole.checkpoints.map(\.result) == [.same, .older])
    #expect(whole.treeSize == 11)
  }

  @Test func theSameSegmentTwiceIsReportedAndCountsOnce() throws {
    let sealed = try SealedStore()
    let (name, _) = sealed.segments[1]
    let copy = name.replacing("-000001-000003.", with: "-000001-000009.")
    try #require(copy != name)
    sealed.set(copy, sealed.bytes(name))
    let report = try sealed.verify()
    #expect(report.damage.map(\.file) == [copy])
    #expect(report.treeSize == 9)
    #expect(report.checkpoints.map(\.result) == [.same])
  }

  /// Whatever its name: removing the other one would bring the erased call back.
  @Test(arguments: ["-000001-000002.", "-000001-000009."])
  func aCopyFromBeforeAnErasureIsTheOneToRemove(number: String) throws {
    let sealed = try SealedStore()
    let (name, ids) = sealed.segments[1]
    let copy = name.replacing("-000001-000003.", with: number)
    try #require(copy != name)
    let before = sealed.bytes(name)
    _ = try Eraser(store: sealed.store, log: quiet, keeper: nil).erase([ids[1]])
    sealed.set(copy, before)
    let damage = try sealed.verify().damage
    #expect(damage.map(\.file) == [copy])
    #expect(damage.map(\.calls) == [[ids[1]]])
    #expect(damage.first?.message.contains(name) == true)
  }

  @Test func aSegmentOfAnotherStoreInPlaceOfOneIsReported() throws {
    let sealed = try SealedStore()
    let other = try SealedStore(seed: 77)
    let kept = try ProofMaker(store: sealed.store).checkpoint()
    sealed.set(sealed.segments[1].name, other.bytes(other.segments[1].name))
    let report = try sealed.verify(kept)
    #expect(report.checkpoints.map(\.result) == [.different, .different])
    // Each file testifies to those before it.
    let files = report.damage.map(\.file)
    #expect(files.contains(sealed.segments[1].name) && files.contains(sealed.segments[2].name))
  }

  @Test func anotherArchiveInPlaceOfThisOneIsToldByAKeptCheckpointOnly() throws {
    let sealed = try SealedStore()
    let kept = try ProofMaker(store: sealed.store).checkpoint()
    let other = try SealedStore(seed: 78)
    for (name, _) in sealed.segments { try sealed.remove(name) }
    for (name, _) in other.segments { sealed.set(name, other.bytes(name)) }
    sealed.set("checkpoint", other.bytes("checkpoint"))
    #expect(try sealed.verify().damage == [])
    #expect(try sealed.verify(kept).checkpoints.map(\.result) == [.same, .different])
  }

  @Test func aCheckpointOfAnotherStoreIsForeign() throws {
    let sealed = try SealedStore(seals: 1)
    var checkpoint = try ProofMaker(store: sealed.store).checkpoint().checkpoint
    checkpoint.origin = "example.com/log"
    let report = try sealed.verify(CheckpointNote(checkpoint))
    #expect(report.checkpoints.map(\.result) == [.same, .foreign])
    #expect(!report.isSound)
  }

  @Test func anOlderCheckpointIsFoundToBeTheBeginning() throws {
    var sealed = try SealedStore(seals: 1)
    let empty = CheckpointNote(Checkpoint(origin: try sealed.store.origin(), tree: CompactTree()))
    let old = try ProofMaker(store: sealed.store).checkpoint()
    var generator = Seeded(state: 5)
    try sealed.seal(4, &generator)
    let report = try sealed.verify(old, empty)
    #expect(report.isSound)
    #expect(report.checkpoints.map(\.result) == [.same, .older, .older])
    #expect(report.checkpoints.map(\.size) == [7, 3, 0])
  }

  @Test func aLeafListStandsForItsSegment() throws {
    let sealed = try SealedStore()
    let kept = try ProofMaker(store: sealed.store).checkpoint()
    let (name, calls) = sealed.segments[0]
    let segment = try SegmentReader(store: sealed.store, name: name)
    let list = LeafList(
      segment: name, removedAtNs: 1, place: try #require(segment.place),
      leaves: segment.entries.compactMap { entry in entry.leaf.map { LeafList.Leaf(id: entry.id, hash: $0) } })
    try list.write(to: sealed.store)
    // Both are there: retention was interrupted.
    let both = try sealed.verify(kept)
    #expect(both.isSound)
    #expect(both.notes.map(\.kind) == [.doubled])
    try sealed.remove(name)
    let report = try sealed.verify(kept)
    #expect(report.isSound && report.notes.isEmpty)
    #expect(report.removedCalls == 3 && report.sealedCalls == 6)
    #expect(report.checkpoints.map(\.result) == [.same, .same])
    let proof = try ProofMaker(store: sealed.store).proof(of: calls[1])
    #expect(proof.problems.isEmpty && proof.content == .removed)
    #expect(try LeafList(store: sealed.store, name: LeafList.fileName(ofSegment: name)) == list)

    let bytes = sealed.bytes(LeafList.fileName(ofSegment: name))
    for offset in bytes.indices {
      var changed = bytes
      changed[offset] ^= 1
      sealed.set(LeafList.fileName(ofSegment: name), changed)
      #expect(try !sealed.verify().isSound, "byte \(offset)")
    }
  }

  @Test func anInterruptedSealIsNoDamage() throws {
    let sealed = try SealedStore(seals: 2)
    let checkpoint = sealed.bytes("checkpoint")
    var grown = sealed
    var generator = Seeded(state: 6)
    try grown.seal(2, &generator)
    sealed.set("checkpoint", checkpoint)
    let report = try sealed.verify()
    #expect(report.isSound)
    #expect(report.notes.map(\.kind) == [.behind])
  }

  @Test func lostCallsAndTornTailsAreNotedOnly() throws {
    let sealed = try SealedStore(seals: 1)
    var generator = Seeded(state: 7)
    let writer = try JournalWriter(store: sealed.store, log: quiet)
    let open = makeOpen(&generator)
    let handle = writer.open(open)
    writer.frame(handle, 1, "data: 1\n\n")
    try writer.close()
    let journal = try #require(sealed.store.archiveNames.first { $0.hasPrefix("J-") })
    sealed.set(journal, sealed.bytes(journal) + Array("8f torn".utf8))
    let report = try sealed.verify()
    #expect(report.isSound)
    #expect(report.lostCalls == 1)
    #expect(Set(report.notes.map(\.kind)) == [.lost, .torn])
    #expect(report.notes.first { $0.kind == .lost }?.calls == [open.id])
    _ = try Sealer(store: sealed.store, log: quiet).seal()
    let after = try sealed.verify()
    #expect(after.isSound && after.lostCalls == 1)
    #expect(after.notes.contains { $0.kind == .lost && $0.calls == [open.id] })
  }

  @Test func everyChangedByteOfAClosedJournalIsReportedOrATornTail() throws {
    let sealed = try SealedStore(seals: 0)
    var generator = Seeded(state: 8)
    let writer = try JournalWriter(store: sealed.store, log: quiet)
    for _ in 0..<2 {
      let handle = writer.open(makeOpen(&generator))
      writer.frame(handle, 1, "data: 1\n\n")
      _ = writer.flush()
      writer.end(handle, offsetNs: 2, cause: .endOfBody)
    }
    try writer.close()
    let journal = try #require(sealed.store.archiveNames.first)
    let bytes = sealed.bytes(journal)
    #expect(try sealed.verify().isSound)
    for offset in bytes.indices {
      var changed = bytes
      changed[offset] ^= 1 << UInt8(offset % 8)
      sealed.set(journal, changed)
      let report = try sealed.verify()
      #expect(!report.isSound || report.notes.contains { $0.kind == .torn }, "byte \(offset)")
    }
  }

  @Test func aDamagedJournalThatWasSetAsideStaysReported() throws {
    let sealed = try SealedStore(seals: 1)
    sealed.set("J-\(CallID(milliseconds: 1))-000001.tape.damaged", Array("whatever".utf8))
    #expect(try sealed.verify().damage.map(\.message).contains { $0.contains("found damaged when it was sealed") })
  }

  @Test func oneCallIsCheckedByItself() throws {
    let sealed = try SealedStore()
    let (name, calls) = sealed.segments[1]
    let verdict = try Verifier(store: sealed.store).run(call: calls[2])
    #expect(verdict.damage == [] && verdict.place == .segment && verdict.leafNumber == 5)
    #expect(verdict.checkpoints.map(\.result) == [.same])
    // Another segment's damage is none of its concern.
    var bytes = sealed.bytes(sealed.segments[0].name)
    bytes[bytes.count / 3] ^= 1
    sealed.set(sealed.segments[0].name, bytes)
    #expect(try Verifier(store: sealed.store).run(call: calls[2]).damage == [])
    let block = try SegmentReader(store: sealed.store, name: name).entries[0].blockOffset
    bytes = sealed.bytes(name)
    bytes[block + 20] ^= 1
    sealed.set(name, bytes)
    #expect(try Verifier(store: sealed.store).run(call: calls[2]).damage.contains { $0.calls == [calls[2]] })
    #expect(throws: TapeError.self) { try Verifier(store: sealed.store).run(call: CallID(milliseconds: 3)) }
  }
}
