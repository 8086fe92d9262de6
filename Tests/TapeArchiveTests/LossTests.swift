import TapeArchive
import TapeTypes
import Testing

/// Calls whose recorder died, and which lack something: what is known of that is the same before and after sealing.
@Suite struct LossTests {
  enum Kind: CaseIterable {
    /// The disk took no writes for a while.
    case gap
    /// A record in the middle of the journal was damaged afterwards: a key frame, so that its deltas are lost too.
    case tornMiddle
    case both
  }

  private func recorded(_ kind: Kind) throws -> (store: Store, id: CallID, other: CallID) {
    var generator = Seeded(state: 61)
    let files = MemoryFiles()
    let clock = ManualClock()
    let store = try memoryStore(files)
    let writer = try JournalWriter(store: store, clock: clock, log: quiet)
    let open = makeOpen(&generator)
    let whole = makeOpen(&generator)
    let call = writer.open(open)
    let other = writer.open(whole)
    for index in 0..<3 {
      writer.frame(call, Int64(index), "data: {\"id\":\"0123456789abcdef\",\"word\":\"\(index)\"}\n\n")
    }
    writer.frame(other, 1, "data: whole\n\n")
    _ = writer.flush()
    if kind != .tornMiddle {
      files.setRoom(0)
      for index in 3..<8 {
        writer.frame(call, Int64(index), "data: {\"id\":\"0123456789abcdef\",\"word\":\"\(index)\"}\n\n")
      }
      _ = writer.flush()
      files.setRoom(.max)
      clock.advance(seconds: 2)
      _ = writer.flush()
    }
    for index in 8..<10 {
      writer.frame(call, Int64(index), "data: {\"id\":\"0123456789abcdef\",\"word\":\"\(index)\"}\n\n")
    }
    try writer.close()
    if kind != .gap {
      let path = store.archivePath + "/" + (try #require(store.archiveNames.first))
      var bytes = files.bytes(path)
      let place = try #require(
        bytes.firstRange(of: Array("data: {\"id\":\"0123456789abcdef\",\"word\":\"0\"}".utf8))?.lowerBound)
      bytes[place] ^= 1
      files.set(path, bytes)
    }
    return (store, open.id, whole.id)
  }

  @Test(arguments: Kind.allCases) func whatIsMissingIsTheSameWhenItIsSealed(kind: Kind) throws {
    let (store, id, other) = try recorded(kind)
    let before = try #require(store.everything(whole: false).calls[id])
    let verified = try Verifier(store: store).run()
    #expect(before.loss?.gapFrames == (kind == .tornMiddle ? 0 : 5))
    // Without its key frame a delta is nothing.
    #expect(before.loss?.missingFrames == (kind == .gap ? 0 : kind == .both ? 3 : 5))
    #expect((integrityProblem(of: before) == nil) == (kind == .gap))
    #expect(verified.damage.contains { $0.calls == [id] } == (kind != .gap))
    #expect(try Collector.all(store).lost == [id, other])

    #expect(try Sealer(store: store, log: quiet).seal().lostCalls.sorted() == [id, other].sorted())
    let after = try #require(store.everything(whole: false).calls[id])
    #expect(after == before)
    #expect(leafHash(of: after) == leafHash(of: before))
    let report = try Verifier(store: store).run()
    #expect(report.damage.contains { $0.calls == [id] } == (kind != .gap))
    #expect(report.lostCalls == 2)
    #expect(report.damage.contains { $0.calls.contains(other) } == false)
    let verdict = try Verifier(store: store).run(call: id)
    #expect(verdict.damage.map(\.message) == (integrityProblem(of: before).map { [$0] } ?? []))
  }

  /// What is known to be missing is in the leaf hash: nobody takes it out unseen.
  @Test func theLeafHashSpeaksOfIt() throws {
    let (store, id, _) = try recorded(.both)
    var call = try #require(store.everything(whole: false).calls[id])
    let leaf = leafHash(of: call)
    call.loss?.missingFrames -= 1
    #expect(leafHash(of: call) != leaf)
    call.loss = nil
    #expect(leafHash(of: call) != leaf)
  }
}
