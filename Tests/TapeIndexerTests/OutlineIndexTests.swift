import Foundation
import TapeArchive
import TapeCatalogue
import TapeJSON
import TapeSSE
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

/// Sealed calls are indexed from outlines, calls in journals from their frames: the catalogue has to be the same.
@Suite struct OutlineIndexTests {
  /// Records the calls, indexes them from the journal, seals them, and indexes them from the segment.
  ///
  /// - Returns: how many could be told from their outlines.
  private func expectSameRows(
    _ calls: [TestCall], _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Int {
    let test = try TestStore()
    let writer = try test.writer()
    for call in calls { call.record(with: writer) }
    _ = writer.flush()
    try writer.close()
    let hidden: Set = ["sources", "archive_file", "archive_offset"]
    let indexer = Indexer(store: test.store, log: test.log)
    try indexer.run()
    let fromFrames = try dump(test.store.cataloguePath, without: hidden)
    let sealed = try Sealer(store: test.store, log: test.log).seal()
    #expect(sealed.sealedCalls == calls.count, sourceLocation: sourceLocation)
    let report = try indexer.run(rebuild: true)
    let fromOutlines = try dump(test.store.cataloguePath, without: hidden)
    #expect(difference(fromFrames, fromOutlines) == [], comment, sourceLocation: sourceLocation)
    #expect(report.calls == calls.count)
    #expect(report.segments > 0)
    return report.calls - report.decodedCalls
  }

  @Test func sampleCallsGiveTheSameRows() throws {
    #expect(try expectSameRows(sampleCalls()) > 6)
  }

  /// `Tests/Vectors/orq.json` and `sse.json`, cut into frames as a recorder cuts them.
  @Test(arguments: [("orq.json", "sse_base64"), ("sse.json", "input_base64")])
  func vectorsGiveTheSameRows(file: String, key: String) throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/" + file)
    let vectors = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: url)))["vectors"]?.array)
    let calls = vectors.enumerated().map { number, vector in
      var call = TestCall(number, startedAt: noon + Int64(number) * second)
      let body = [UInt8](Data(base64Encoded: vector[key]?.string ?? "") ?? Data())
      var start = 0
      for end in FrameSplitter.split(body).frameEnds {
        call.frames.append(Array(body[start..<end]))
        call.offsetsNs.append(Int64(end) * 1_000)
        start = end
      }
      return call
    }
    #expect(calls.count > 20)
    _ = try expectSameRows(calls)
  }

  /// `Tests/Vectors/dialects.json`.
  @Test func dialectsGiveTheSameRows() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/dialects.json")
    let vectors = try #require(try JSONValue(parsing: [UInt8](Data(contentsOf: url)))["vectors"]?.array)
    let calls = vectors.enumerated().map { number, vector in
      var call = TestCall(number, startedAt: noon + Int64(number) * second)
      call.path = vector["path"]?.string ?? ""
      call.status = vector["status"]?.integer
      call.contentType = vector["content_type"]?.string ?? ""
      call.cause = CallEnd.Cause(rawValue: vector["end"]?.string ?? "")
      for frame in vector["frames"]?.array ?? [vector["body"] ?? .null] {
        call.frames.append(Array((frame.string ?? "").utf8))
        call.offsetsNs.append(Int64(call.frames.count) * 1_000_000)
      }
      return call
    }
    // Texts of one block or item are told from their outlines.
    #expect(try expectSameRows(calls) > 30)
  }

  /// The archive that is kept for good.
  @Test func theGoldenCallsGiveTheSameRows() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../TapeArchiveTests/Golden/literal-1/calls.jsonl")
    var calls: [Int: TestCall] = [:]
    for line in try Data(contentsOf: url).split(separator: 0x0A) {
      let value = try JSONValue(parsing: [UInt8](line))
      let number = try #require(value["call"]?.integer)
      let time = Int64(try #require(value["t_ns"]?.integer))
      switch value["ev"]?.string {
      case "open":
        calls[number] = TestCall(number, startedAt: time)
        calls[number]?.request = value["request"].map(\.compact) ?? []
      case "frame":
        let bytes = value["raw"]?.string.map { [UInt8]($0.utf8) }
        let raw = try #require(
          bytes ?? value["raw_base64"]?.string.flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) })
        calls[number]?.frames.append(raw)
        let start = calls[number]?.startedAtNs ?? 0
        calls[number]?.offsetsNs.append(time - start)
      default: break
      }
    }
    #expect(calls.count > 4)
    _ = try expectSameRows(calls.sorted { $0.key < $1.key }.map(\.value))
  }

  @Test(arguments: 0..<8)
  func madeUpCallsGiveTheSameRows(hundred: Int) throws {
    let calls = (0..<100).map { madeUpCall(UInt64(hundred * 100 + $0), $0) }
    let read = try expectSameRows(calls, "calls \(hundred * 100) and following")
    // Else this would say nothing.
    #expect(read > 15)
  }

  private func madeUpCall(_ seed: UInt64, _ number: Int) -> TestCall {
    let stream = RandomStream(seed: seed)
    var random = SeededNumbers(seed &+ 1 << 40)
    var call = TestCall(number, startedAt: noon + Int64(number) * second)
    call.request = Array(random.pick([fullRequest, "{}", "", "not json", #"{"key":"k","thread":{"id":"t"}}"#]).utf8)
    call.path = stream.path
    call.contentType = stream.contentType
    call.hasTimes = !random.chance(10)
    if random.chance(5) { call.status = random.pick([400, 500, 200]) }
    call.frames = stream.frames
    var offset = call.headOffsetNs
    for _ in stream.frames {
      offset += random.pick([0, 1, 1_500, 20_000_000, 3_000_000_000])
      call.offsetsNs.append(offset)
    }
    call.cause = random.pick([.endOfBody, .endOfBody, .clientClosed, .upstreamClosed, .timeout, nil])
    return call
  }

  /// What only pieces tell, and joined text does not: each of these is read otherwise when it is joined.
  @Test(arguments: [
    ["\\u00e9", "éa", "éab", "éabc"], ["a", "ab", "abc"], ["a", "ab", "abc", "x"], ["\\/", "/a", "/ab"],
    ["The whole text ", "of a stream", " in three", "The whole text of a stream in three"],
    ["The whole\\/text ", "of a stream", " in three", "The whole/text of a stream in three"],
    ["\\ud83d", "\\ud83d\\ude00", "\\ud83d\\ude00!"], ["\\ud83d", "\\ude00", "\\ud83d", "x"],
    ["", "", "late"], ["ha", "ha"], ["\u{7F}", "\u{7F}\u{7F}"],
  ])
  func piecesGiveTheSameRows(pieces: [String]) throws {
    // A repeat is one in a final chunk only; the same in all frames, so that one column has all pieces.
    let calls = [false, true].enumerated().map { number, isFinal in
      var call = TestCall(number, startedAt: noon + Int64(number) * second)
      for piece in pieces {
        call.addChunk("\"is_final\":\(isFinal),\"choices\":[{\"index\":0,\"message\":{\"content\":\"\(piece)\"}}]")
      }
      return call
    }
    _ = try expectSameRows(calls)
  }

  /// What streams are mostly like is told from their outlines.
  @Test func usualCallsAreNotDecoded() throws {
    let words = ["", "The", " quick", " brown", " fox", " jumps", " over", " it", "."]
    let calls: [TestCall] = [
      .text(1, startedAt: noon, words, request: fullRequest, usage: TestUsage(10, 3, cached: 4)),
      .tools(2, startedAt: noon + second), .midstreamError(3, startedAt: noon + 2 * second),
      .unfinished(4, startedAt: noon + 3 * second, cause: .clientClosed), .refused(5, startedAt: noon + 4 * second),
    ]
    #expect(try expectSameRows(calls) == calls.count)
  }
}
