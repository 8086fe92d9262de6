import TapeSSE
import Testing

@Suite struct FrameFieldsTests {
  @Test func theDataOfEachFrameIsTheDataOfItsEvent() {
    let bodies = SSEVector.all.map(\.input) + (1000..<1400).map { randomBody(seed: $0) }
    for body in bodies {
      var parser = EventParser()
      let events = parse([body[...]], with: &parser)
      let (frames, _) = frameData(body)
      #expect(frames == events.map(\.data), "\(String(decoding: body, as: UTF8.self).debugDescription)")
    }
  }

  @Test(arguments: [
    ("data: a\n\n", true), ("data: a\r\n\r\n", true), ("data: a\r\r", true), ("\n", true), ("data: a\n", false),
    ("data: a\r\n", false), ("data: a", false), ("", false),
  ])
  func aFrameIsTerminatedByItsBlankLine(frame: String, isTerminated: Bool) {
    #expect(fields(frame).isTerminated == isTerminated)
  }

  @Test(arguments: [
    (": ping\n\n", true, false), ("data\n\n", true, false), ("{\"data\": 1}\n", false, true), ("\n", false, false),
    ("id:1\nfoo: bar\n\n", true, true),
  ])
  func knownAndOtherLinesAreTold(frame: String, known: Bool, other: Bool) {
    #expect(fields(frame).hasKnownLine == known)
    #expect(fields(frame).hasOtherLine == other)
  }

  @Test func oneDataLineIsLentWhereItLies() {
    let frame = Array("event: e\ndata: payload\n\n".utf8)
    frame.withUnsafeBytes { bytes in
      let fields = FrameFields(bytes)
      fields.withData(of: bytes) { data in
        #expect(data?.baseAddress == bytes.baseAddress.map { $0 + 15 })
        #expect(data.map { String(decoding: $0, as: UTF8.self) } == "payload")
      }
      #expect(fields.event.map { String(decoding: bytes[$0], as: UTF8.self) } == "e")
    }
  }

  private func fields(_ frame: String) -> FrameFields {
    Array(frame.utf8).withUnsafeBytes { FrameFields($0) }
  }

  /// Data of the frames that an event stream would dispatch: terminated and with data.
  private func frameData(_ body: [UInt8]) -> (data: [String], isTerminated: Bool) {
    let (ends, isTerminated) = FrameSplitter.split(body)
    var data: [String] = []
    var start = 0
    body.withUnsafeBytes { bytes in
      for (index, end) in ends.enumerated() {
        let frame = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        start = end
        let fields = FrameFields(frame, isFirst: index == 0)
        #expect(fields.isTerminated == (index + 1 < ends.count || isTerminated))
        guard fields.isTerminated else { continue }
        fields.withData(of: frame, isFirst: index == 0) { payload in
          if let payload { data.append(String(decoding: payload, as: UTF8.self)) }
        }
      }
    }
    return (data, isTerminated)
  }
}
