import TapeJSON
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeDialects

/// What outlines say is what frames say.
@Suite struct OutlineTests {
  /// What the frames say, as far as outlines are asked.
  private func expected(_ call: RecordedCall) -> Generation { generation(of: call, withExtra: false) }

  private func outline(_ call: RecordedCall, seed: UInt64) -> CallOutline {
    var maker = OutlineMaker(call, seed: seed)
    return maker.outline()
  }

  @Test(arguments: OrqVector.all)
  func everyVectorSaysTheSame(vector: OrqVector) {
    let call = TapeDialectsTests.call(vector.sse, request: vector.requestBody.compactString)
    for seed: UInt64 in 0..<10 {
      guard let read = generation(of: outline(call, seed: seed)) else { continue }
      #expect(read == expected(call))
    }
  }

  @Test(arguments: 0..<20)
  func madeUpStreamsSayTheSame(hundred: Int) {
    var read = 0
    for seed in UInt64(hundred * 80)..<UInt64(hundred * 80 + 80) {
      let stream = RandomStream(seed: seed)
      let call = recorded(stream)
      for variant: UInt64 in 0..<3 {
        guard let generation = generation(of: outline(call, seed: seed &* 3 &+ variant)) else { continue }
        read += 1
        #expect(generation == expected(call), "seed \(seed), templates \(variant)")
      }
    }
    // Else this would say nothing.
    #expect(read > 50)
  }

  private func recorded(_ stream: RandomStream) -> RecordedCall {
    let open = CallOpen(id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: stream.path, salt: [])
    var call = RecordedCall(open: open)
    call.head = CallHead(offsetNs: 1, status: 200, headers: [HeaderField("Content-Type", stream.contentType)])
    for (index, frame) in stream.frames.enumerated() {
      call.raw += frame
      call.frameEnds.append(call.raw.count)
      call.frameOffsetsNs.append(Int64(index) * 10)
    }
    call.end = CallEnd(
      offsetNs: 9, cause: .endOfBody, frames: call.frameCount, bytes: call.raw.count, sha256: nil)
    return call
  }

  /// Values that are in a column and that no event brings are not read with it.
  @Test(arguments: ["data: [DONE]\n\n" + text("late") + text("later"), String(text("cut").dropLast())])
  func whatIsNotReadIsNotJoined(end: String) {
    let call = TapeDialectsTests.call(Array((Self.text("The") + Self.text(" quick") + Self.text(" fox") + end).utf8))
    for seed: UInt64 in 0..<20 {
      var maker = OutlineMaker(call, seed: seed, holes: 100)
      if let read = generation(of: maker.outline()) { #expect(read == expected(call)) }
    }
  }

  private static func text(_ words: String) -> String {
    "data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"\(words)\"}}]}\n\n"
  }

  /// Long streams of the usual kinds, with the usual templates, are never asked frame by frame.
  @Test(arguments: [
    (#"{"choices":[{"index":0,"message":{"role":"assistant","content":"%"}}]}"#, "content"),
    (#"{"choices":[{"index":0,"delta":{"content":"%"}}],"sequence_number":#}"#, "counter"),
    (#"{"choices":[{"index":0,"message":{"reasoning":"%"}}],"obfuscation":"%%"}"#, "reasoning"),
    (#"{"choices":[{"index":0,"message":{"tool_calls":[{"index":0,"function":{"arguments":"%"}}]}}]}"#, "arguments"),
  ])
  func usualStreamsAreReadFromTheirOutline(chunk: String, name: String) throws {
    var body = ""
    for (index, word) in ["", "The", " quick", " brown", " fox", "."].enumerated() {
      let data = chunk.replacing("%%", with: "x\(index * 7919)").replacing("%", with: word).replacing(
        "#", with: "\(index)")
      body += "data: \(data)\n\n"
    }
    let call = TapeDialectsTests.call(Array((body + "data: [DONE]\n\n").utf8))
    var maker = OutlineMaker(call, seed: 0, holes: 100)
    let read = try #require(generation(of: maker.outline()))
    #expect(read == expected(call))
    #expect(read.firstContentFrame == (name == "arguments" ? 0 : 1))
  }
}
