import TapeArchive
import TapeRecorder
import TapeTestSupport
import TapeTypes
import Testing

/// Export and import give equal ids, calls and leaf hashes, whatever bytes the calls consist of.
struct CaptureRoundTripTests {
  @Test(arguments: 1...12) func anyCallsComeBackFromATimedCapture(seed: UInt64) throws {
    let scratch = try Scratch()
    let (first, second) = (try scratch.store("a"), try scratch.store("b"))
    var random = RandomCalls(seed: seed)
    let calls = (0..<6).map { _ in random.next() }
    let writer = try JournalWriter(store: first, log: quiet)
    for call in calls {
      let handle = writer.open(call.open)
      if let head = call.head { writer.head(handle, head) }
      call.raw.withUnsafeBytes { raw in
        for index in 0..<call.frameCount {
          writer.frame(
            handle, offsetNs: call.frameOffsetNs(index), UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]))
        }
      }
      if let end = call.end { writer.end(handle, asGiven: end) } else { writer.abandon(handle) }
    }
    try writer.close()
    let outcomes = try second.importing(scratch.file("x.jsonl", try first.exported()))
    #expect(Set(outcomes.map(\.id)) == Set(calls.map(\.open.id)))
    let back = try second.calls()
    for call in calls {
      #expect(back[call.open.id] == call)
      #expect(back[call.open.id].map(leafHash) == leafHash(of: call))
    }
  }
}

/// A call without end, of which is known what is missing.
@Suite struct LossRoundTripTests {
  @Test func whatIsMissingGoesAlongWithTheCall() throws {
    let scratch = try Scratch()
    let store = try scratch.store("a")
    var generator = Seeded(state: 7)
    let writer = try JournalWriter(store: store, log: quiet)
    let losses = [CallLoss(gapFrames: 2, gapBytes: 30), CallLoss(missingFrames: 4), nil]
    for (index, loss) in losses.enumerated() {
      let started = 1_767_225_600_000_000_000 + Int64(index)
      let open = CallOpen(
        id: CallID(milliseconds: UInt64(started / 1_000_000), using: &generator), startedAtNs: started,
        origin: .library, salt: Array(repeating: UInt8(index), count: 16))
      let handle = writer.open(open)
      Array("data: x\n\n".utf8).withUnsafeBytes { writer.frame(handle, offsetNs: 5, $0) }
      writer.abandon(handle, loss)
    }
    try writer.close()
    let calls = try store.calls()
    #expect(calls.values.sorted { $0.open.startedAtNs < $1.open.startedAtNs }.map(\.loss) == losses)
    let other = try scratch.store("b")
    _ = try other.importing(scratch.file("a.jsonl", store.exported()))
    _ = try Sealer(store: other, log: quiet).seal()
    let imported = try other.calls()
    #expect(imported.mapValues { leafHash(of: $0) } == calls.mapValues { leafHash(of: $0) })
  }
}

/// What was erased does not come back unasked.
@Suite struct ErasedImportTests {
  private func erased(_ scratch: Scratch, _ file: String) throws -> (store: Store, ids: [CallID]) {
    let store = try scratch.store()
    let ids = try store.importing(file).map(\.id)
    let report = try Eraser(store: store, log: quiet, keeper: nil).erase([ids[0]])
    #expect(report.erased == [ids[0]])
    return (store, ids)
  }

  private let capture = #"""
    {"t_ns": 1000, "call": 7, "ev": "open", NAME "request": {"key": "a"}}
    {"t_ns": 1500, "call": 9, "ev": "open", "request": {"key": "b"}}
    {"t_ns": 2000, "call": 7, "ev": "frame", "raw": "data: one\n\n"}
    {"t_ns": 2600, "call": 9, "ev": "end", "how": "cut"}
    {"t_ns": 2800, "call": 7, "ev": "end", "how": "done"}
    """#

  @Test(arguments: ["", #""call_id": "01KDVDNA00ABCDEFGHJKMNPQRS","#])
  func aCallOfATimedCaptureIsRefusedAndTheOthersAreNot(name: String) throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.jsonl", capture.replacing("NAME", with: name))
    let (store, ids) = try erased(scratch, path)
    let again = try store.importing(path)
    #expect(
      again == [
        Importer.Outcome(id: ids[0], isNew: false, wasErased: true), Importer.Outcome(id: ids[1], isNew: false),
      ])
    #expect(try store.calls().count == 1)
    // Who asks for it gets it, under another id.
    let asked = try store.importing(path, .init(again: true))
    #expect(asked.allSatisfy { $0.isNew && !$0.wasErased && !ids.contains($0.id) })
  }

  @Test func aRawCaptureOfTheSameStartIsRefused() throws {
    let scratch = try Scratch()
    let path = try scratch.file("a.sse", "data: {\"created\":1700000000}\n\n")
    let (store, ids) = try erased(scratch, path)
    #expect(try store.importing(path) == [Importer.Outcome(id: ids[0], isNew: false, wasErased: true)])
    #expect(try store.importing(path, .init(startedAtNs: 5)).map(\.isNew) == [true])
    #expect(try store.importing(path, .init(again: true)).map(\.isNew) == [true])
  }

  /// Retention is no erasure: the call comes back, under an id that the archive's tree has not yet.
  @Test func aCallThatRetentionRemovedIsTakenAsANewOne() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let path = try scratch.file(
      "a.jsonl", capture.replacing("NAME", with: #""call_id": "01KDVDNA00ABCDEFGHJKMNPQRS","#))
    let ids = try store.importing(path).map(\.id)
    _ = try Sealer(store: store, log: quiet).seal()
    #expect(Retention(keepNs: nil, keepBytes: 0).run(on: store, log: quiet).count == 1)
    let again = try store.importing(path)
    #expect(again.allSatisfy { $0.isNew && !ids.contains($0.id) })
    _ = try Sealer(store: store, log: quiet).seal()
    #expect(try Verifier(store: store).run().damage == [])
  }
}
