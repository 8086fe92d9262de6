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
