import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct FramesTests {
  @Test func eachFrameHasItsTimeAndText() throws {
    var call = TestCall(1, startedAt: noon)
    call.add(": keep-alive\n\n")
    call.addText("Hel", gapMs: 500)
    call.addText("lo")
    call.add("event: usage\ndata: {}\n\n")
    call.add("data: [DONE]\n\n")
    let (test, engine) = try engine([call])
    defer { withExtendedLifetime(test) {} }
    let frames = try engine.frames(engine.resolve("@1"))
    #expect(frames.allSatisfy { $0.keys == ["sequence", "offset_ns", "gap_ns", "bytes", "event", "text"] })
    let lines = frames.map { frame in
      ["sequence", "offset_ns", "gap_ns", "event", "text"].map { frame[$0]?.plain ?? "?" }.joined(separator: " ")
    }
    #expect(
      lines == [
        "0 11000000 null null null", "1 511000000 500000000 message Hel", "2 521000000 10000000 message lo",
        "3 531000000 10000000 usage null", "4 541000000 10000000 message null",
      ])
    #expect(frames.map { $0["bytes"]?.integer } == call.frames.map(\.count))
  }

  @Test func eventsAreWhatAClientGets() {
    let body = Array("id: 7\ndata: a\n\n: note\n\nevent: x\nretry: 10\ndata: b\ndata: c\n\ndata: cut".utf8)
    let events = QueryEngine.events(in: body).map(\.compactString)
    #expect(
      events == [
        #"{"event":"message","data":"a","id":"7","retry":null}"#, #"{"event":"x","data":"b\nc","id":"7","retry":10}"#,
      ])
  }
}
