import Foundation
import TapeTypes
import Testing

@testable import TapeArchive

/// A call that arrived in these frames.
func makeCall(
  _ generator: inout some RandomNumberGenerator, _ frames: [[UInt8]], body: [UInt8] = Array(#"{"key":"k"}"#.utf8),
  hasTimes: Bool = true, ended: Bool = true
) -> RecordedCall {
  var call = RecordedCall(open: makeOpen(&generator, body: body, hasTimes: hasTimes))
  call.head = CallHead(offsetNs: hasTimes ? 5 : nil, status: 200)
  for frame in frames {
    call.raw += frame
    call.frameEnds.append(call.raw.count)
    if hasTimes {
      call.frameOffsetsNs.append((call.frameOffsetsNs.last ?? 7) + Int64.random(in: 0..<30_000_000, using: &generator))
    }
  }
  if ended {
    call.end = CallEnd(
      offsetNs: hasTimes ? 9 : nil, cause: .endOfBody, frames: frames.count, bytes: call.raw.count,
      sha256: sha256(call.raw))
  }
  return call
}

func encode(_ items: [SegmentItem]) throws -> EncodedBlock {
  let encoder = TemplateEncoder()
  for item in items {
    switch item {
    case .call(let call): encoder.add(call, rawHash: sha256(call.raw))
    case .tombstone(let tombstone): encoder.add(tombstone)
    }
  }
  var block = try encoder.finish()
  block.storedBytes = TemplateCoding.roles.reduce(0) { $0 + block[$1].count }
  return block
}

/// Encodes and decodes; what comes back has to be what went in, one by one too, and head and text have to be text.
func expectRoundTrip(_ calls: [RecordedCall], sourceLocation: SourceLocation = #_sourceLocation) throws {
  let block = try encode(calls.map { .call($0) })
  let back = try TemplateCoding().decode(block, only: nil).map(\.call)
  #expect(back == calls, sourceLocation: sourceLocation)
  for call in calls.prefix(20) {
    let one = try TemplateCoding().decode(block, only: call.open.id).map(\.call)
    #expect(one == [call], sourceLocation: sourceLocation)
  }
  for part in [block[.head], block[.text]] {
    let text = try #require(String(validating: part, as: UTF8.self), sourceLocation: sourceLocation)
    #expect(
      text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control },
      sourceLocation: sourceLocation)
  }
  let outlines = try TemplateCoding().outlines(head: block[.head], text: block[.text])
  #expect(outlines.count == calls.count, sourceLocation: sourceLocation)
  for (outline, call) in zip(outlines, calls) {
    try expectOutline(#require(outline), of: call, sourceLocation: sourceLocation)
  }
}

/// What the outline says is what the frames say.
private func expectOutline(_ outline: CallOutline, of call: RecordedCall, sourceLocation: SourceLocation) throws {
  #expect(outline.open.body == call.open.body, sourceLocation: sourceLocation)
  #expect(outline.head == call.head, sourceLocation: sourceLocation)
  #expect(outline.frames == call.frameCount && outline.bytes == call.raw.count, sourceLocation: sourceLocation)
  #expect(outline.runs.reduce(0) { $0 + $1.count } == call.frameCount, sourceLocation: sourceLocation)
  #expect(outline.firstFrameNs == call.frameOffsetsNs.first, sourceLocation: sourceLocation)
  let inHoles = outline.columns.filter { $0.kind == .text }.reduce(0) { $0 + $1.bytes.count }
  var literal = 0
  for run in outline.runs {
    literal += run.count * outline.templates[run.template].literals.reduce(0) { $0 + $1.count }
  }
  if outline.columns.allSatisfy({ $0.kind == .text }) {
    #expect(inHoles + literal == call.raw.count, sourceLocation: sourceLocation)
  }
  for column in outline.columns {
    guard let first = column.firstFrame, call.open.hasTimes, column.kind == .text else { continue }
    #expect(column.firstNs == call.frameOffsetNs(first), sourceLocation: sourceLocation)
  }
}

func chunk(_ content: String, id: String = "01ABCDEF", end: String = "\n\n") -> [UInt8] {
  let body = #"{"index":0,"message":{"role":"assistant","content":"\#(content)"},"finish_reason":null}"#
  return Array(#"data: {"id":"\#(id)","model":"m","choices":[\#(body)]}\#(end)"#.utf8)
}

@Suite struct TemplateCodingTests {
  /// Streams that once were, or could be, hard.
  static let streams: [(name: String, frames: [[UInt8]])] = [
    ("none", []), ("one empty frame", [[]]), ("empty frames", [[], [], []]),
    ("one frame", [chunk("Hi")]), ("equal frames", [chunk("Hi"), chunk("Hi"), chunk("Hi")]),
    ("words", ["Our", " ref", "und", " policy", ".", ""].map { chunk($0) }),
    ("CRLF", ["Our", " ref", "und"].map { chunk($0, end: "\r\n\r\n") } + [Array(": ping\r\n\r\n".utf8)]),
    ("CR", ["Our", " ref", "und"].map { chunk($0, end: "\r\r") }),
    ("no blank line", ["a", "b", "c"].map { chunk($0, end: "\n") }),
    ("cut in the middle", [chunk("one"), chunk("two"), Array(chunk("three").prefix(60))]),
    ("cut in an escape", [chunk("one"), chunk("two"), Array("data: {\"id\":\"01ABCDEF\",\"x\":\"a\\".utf8)]),
    ("escapes", [#"\n\n"#, #"\"x\" "#, #"\u00e9"#, #"\\u00e9"#, #"\ud83d"#, #"\ude00"#, #"\u00E9"#].map { chunk($0) }),
    ("upper-case escapes", [#"\u00E9"#, #"\uD83D\uDE00"#, #"\u4E2D"#, #"\u20"#].map { chunk($0) }),
    ("raw characters", ["é", "数据", "🙂", "␛", "\u{85}", "\u{7F}", "e\u{301}"].map { chunk($0) }),
    ("counters", (0..<50).map { Array("id: \($0)\ndata: {\"sequence_number\":\($0 * 3),\"t\":\"w\($0)\"}\n\n".utf8) }),
    (
      "counters that wrap",
      ["9", "10", "-1", "007", "1e3", "1.5", "-0", "9223372036854775807", "99999999999999999999"]
        .map { Array("data: {\"n\":\($0),\"c\":\"x\"}\n\n".utf8) }
    ),
    (
      "text lines",
      ["data: Hel\n\n", "data: lo\n\n", "data: [DONE]\n\n", ": ping 1\n\n", ": ping 2\n\n"].map { Array($0.utf8) }
    ),
    ("several lines", (0..<5).map { Array("event: e\ndata: a\($0)\ndata: b\($0)\nid: x\($0)\n\n".utf8) }),
    ("not UTF-8", [[0xFF, 0xFE, 0x00], [0x80, 0x0A, 0x0A], Array("data: \u{0}\n\n".utf8), chunk("x")]),
    ("a character cut over frames", [chunk("a") + [0xE6], [0x95] + chunk("b"), [0xB0]]),
    (
      "bytes of a character in two values",
      [0xE6, 0x95, 0xB0].map { byte in
        Array("data: {\"c\":\"".utf8) + [byte] + Array("\"}\n\n".utf8)
      }
    ),
    (
      "choices and tools",
      (0..<40).map { index in
        Array(#"data: {"choices":[{"index":\#(index % 3),"delta":{"content":"c\#(index) "}}]}"#.utf8) + [0x0A, 0x0A]
      }
    ),
    ("index as a counter", (0..<40).map { Array("data: {\"index\":\($0),\"c\":\"w\($0)\"}\n\n".utf8) }),
    (
      "type as a counter",
      (0..<100).map { index in
        let name = String(UnicodeScalar(UInt8(97 + index % 26))) + String(UnicodeScalar(UInt8(97 + index / 26)))
        return Array("data: {\"type\":\"\(name)\",\"c\":\"w\(index)\"}\n\n".utf8)
      }
    ),
    ("equal keys", (0..<6).map { Array("data: {\"a\":\"x\($0)\",\"a\":\"y\($0)\",\"a.b\":\"\($0)\"}\n\n".utf8) }),
    ("cumulative", (1..<20).map { chunk(String(repeating: "word ", count: $0)) }),
    ("deep", [Array("data: ".utf8) + [UInt8](repeating: 0x5B, count: 500) + Array("1".utf8), chunk("x")]),
    (
      "broken JSON",
      ["{", "{\"a\":", "{\"a\":\"", "[1,2", "{\"a\" \"b\"}", "}}}}", "\"\"\"\"", "{:1,}"].flatMap { text in
        (0..<3).map { Array("data: \(text)\($0)\n\n".utf8) }
      }
    ),
  ]

  @Test(arguments: streams.indices) func everyStreamComesBack(index: Int) throws {
    var generator = Seeded(state: UInt64(index))
    let frames = Self.streams[index].frames
    try expectRoundTrip([makeCall(&generator, frames)])
    try expectRoundTrip([
      makeCall(&generator, frames, hasTimes: false), makeCall(&generator, frames, body: [], ended: false),
      makeCall(&generator, frames, body: [0xFF, 0x00]),
    ])
  }

  @Test func allStreamsTogetherComeBack() throws {
    var generator = Seeded(state: 5)
    try expectRoundTrip(Self.streams.map { makeCall(&generator, $0.frames, hasTimes: Bool.random(using: &generator)) })
  }

  @Test func noCallsAreAnEmptyBlock() throws { try expectRoundTrip([]) }

  @Test func tombstonesKeepTheirPlace() throws {
    var generator = Seeded(state: 6)
    let tombstone = Tombstone(
      id: CallID(milliseconds: 5, using: &generator), startedAtNs: 3, leafHash: [UInt8](repeating: 7, count: 32),
      erasedAtNs: 9, kept: Array(#"{"total":3}"#.utf8))
    let call = makeCall(&generator, [chunk("a"), chunk("b")])
    let block = try encode([.tombstone(tombstone), .call(call), .tombstone(tombstone)])
    let back = try TemplateCoding().decode(block, only: nil)
    #expect(back.map(\.id) == [tombstone.id, call.open.id, tombstone.id])
    #expect(back.map(\.call) == [nil, call, nil])
    guard case .tombstone(let kept) = back[0] else { throw BlockError("no tombstone") }
    #expect(kept == tombstone)
    let outlines = try TemplateCoding().outlines(head: block[.head], text: block[.text])
    #expect(outlines.map { $0?.open.id } == [nil, call.open.id, nil])
  }

  /// Frames that are like each other but for some bytes, in every way.
  @Test(arguments: 0..<30) func mutatedFramesComeBack(seed: Int) throws {
    var generator = Seeded(state: UInt64(1000 + seed))
    var calls: [RecordedCall] = []
    for _ in 0..<6 {
      let streams = (0..<2).map { _ in Self.streams.randomElement(using: &generator)?.frames ?? [] }
      var frames = (streams[0] + streams[1]).filter { $0.count < 5000 }
      if Bool.random(using: &generator) { frames.shuffle(using: &generator) }
      for index in frames.indices where Int.random(in: 0..<3, using: &generator) == 0 {
        mutate(&frames[index], &generator)
      }
      calls.append(makeCall(&generator, frames, hasTimes: Bool.random(using: &generator)))
    }
    try expectRoundTrip(calls)
  }

  private func mutate(_ frame: inout [UInt8], _ generator: inout Seeded) {
    let interesting: [UInt8] = [0x22, 0x5C, 0x0A, 0x0D, 0x7B, 0x7D, 0x2C, 0x3A, 0x00, 0xFF, 0xE2, 0x31, 0x20, 0x75]
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let at = Int.random(in: 0...frame.count, using: &generator)
      let byte = interesting.randomElement(using: &generator) ?? 0
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: frame.insert(byte, at: at)
      case 1 where at < frame.count: frame[at] = byte
      case 2 where at < frame.count: frame.remove(at: at)
      default: frame = Array(frame.prefix(at))
      }
    }
  }

  @Test func theVectorsComeBack() throws {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Vectors")
    var generator = Seeded(state: 8)
    var calls: [RecordedCall] = []
    for (file, key) in [("sse.json", "input_base64"), ("orq.json", "sse_base64")] {
      let json = try JSONSerialization.jsonObject(with: Data(contentsOf: directory.appendingPathComponent(file)))
      let vectors = try #require((json as? [String: Any])?["vectors"] as? [[String: Any]])
      for vector in vectors {
        let raw = try #require((vector[key] as? String).flatMap { Data(base64Encoded: $0) })
        calls.append(makeCall(&generator, frames(Array(raw)), hasTimes: Bool.random(using: &generator)))
      }
    }
    #expect(calls.count > 50)
    try expectRoundTrip(calls)
  }

  /// Split behind blank lines, roughly: what does not end there is a frame too.
  private func frames(_ raw: [UInt8]) -> [[UInt8]] {
    var frames: [[UInt8]] = [[]]
    for byte in raw {
      frames[frames.count - 1].append(byte)
      if byte == 0x0A, frames[frames.count - 1].suffix(2) == [0x0A, 0x0A] { frames.append([]) }
    }
    return frames
  }

  // MARK: What it is good for

  @Test func aPhraseSplitOverTokensStandsInOneLineBehindTheCallsId() throws {
    var generator = Seeded(state: 9)
    let call = makeCall(&generator, ["Our", " ref", "und", " policy", #" is \u00e9asy"#, "."].map { chunk($0) })
    let text = String(decoding: try encode([.call(call)])[.text], as: UTF8.self)
    let line = "\(call.open.id) choices[0].message.content\\u Our refund policy is éasy."
    #expect(text.split(separator: "\n").contains { $0 == line })
    #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix(call.open.id.description) })
  }

  @Test func templatesThatFeedOneFieldShareItsColumn() throws {
    var generator = Seeded(state: 10)
    let plain = { (text: String) in
      Array("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"}}]}\n\n".utf8)
    }
    let role = { (text: String) in
      Array("data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\(text)\"}}]}\n\n".utf8)
    }
    let call = makeCall(&generator, [role("re"), plain("fu"), role("nd"), plain(" po"), plain("licy")])
    let block = try encode([.call(call)])
    #expect(String(decoding: block[.text], as: UTF8.self).contains(" choices[0].delta.content refund policy\n"))
    let outline = try #require(TemplateCoding().outlines(head: block[.head], text: block[.text])[0])
    #expect(outline.columns.map(\.path) == ["choices[0].delta.content"])
    #expect(outline.columns[0].count == 5 && outline.columns[0].isPlain)
    #expect(outline.templates[0].frame { _ in Array("x".utf8) } == role("x"))
  }

  @Test func choicesHaveColumnsOfTheirOwn() throws {
    var generator = Seeded(state: 11)
    let frames = (0..<6).map { Array(#"data: {"choices":[{"delta":{"content":"w\#($0) "},"index":\#($0 % 2)}]}"#.utf8) }
    let block = try encode([.call(makeCall(&generator, frames))])
    let text = String(decoding: block[.text], as: UTF8.self)
    #expect(
      text.contains(" choices[0].delta.content w0 w2 w4 \n") && text.contains(" choices[1].delta.content w1 w3 w5 \n"))
  }

  @Test(arguments: [
    ("cumulative", ["a", "ab", "abc"], false, false), ("last repeats all", ["ab", "c", "abc"], false, true),
    ("a word twice", ["ha", "ha", "!"], true, true), ("escape unknown", [#"\q"#, "b"], false, false),
    ("deltas", ["a", "b", "", "c"], true, false), ("one value and nothing", ["a", "", ""], true, false),
  ]) func theHeadSaysWhetherJoiningIsEnough(name: String, pieces: [String], isPlain: Bool, hasRepeat: Bool) throws {
    var generator = Seeded(state: 12)
    let block = try encode([.call(makeCall(&generator, pieces.map { chunk($0) }))])
    let column = try #require(TemplateCoding().outlines(head: block[.head], text: block[.text])[0]?.columns.first)
    #expect(column.isPlain == isPlain && column.hasRepeat == hasRepeat)
  }

  @Test func countersCostNothing() throws {
    var generator = Seeded(state: 13)
    let frames = (0..<2000).map {
      Array("id: \($0)\ndata: {\"sequence_number\":\($0),\"created\":1767225600,\"delta\":\"word \"}\n\n".utf8)
    }
    let call = makeCall(&generator, frames, hasTimes: false)
    let block = try encode([.call(call)])
    #expect(block[.head].count < 1000 && block[.text].count < 12_000 && block[.cuts].count < 60)
    try expectRoundTrip([call])
  }

  @Test func noiseStandsBehindAllText() throws {
    var generator = Seeded(state: 14)
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    let frames = (0..<60).map { index in
      let noise = String((0..<(index % 15 + 2)).map { _ in letters.randomElement(using: &generator) ?? "a" })
      return Array("data: {\"delta\":\" word\(index % 7)\",\"obfuscation\":\"\(noise)\"}\n\n".utf8)
    }
    let calls = [makeCall(&generator, frames), makeCall(&generator, frames)]
    let labels = String(decoding: try encode(calls.map { .call($0) })[.text], as: UTF8.self).split(separator: "\n")
      .map { $0.split(separator: " ")[1] }
    #expect(labels == ["/request", "delta", "/request", "delta", "obfuscation", "obfuscation"])
    try expectRoundTrip(calls)
  }

  @Test func manyEqualFramesWithoutClockAreNotTakenForABomb() throws {
    var generator = Seeded(state: 15)
    let call = makeCall(
      &generator, [[UInt8]](repeating: Array(": keep-alive\n\n".utf8), count: 200_000), hasTimes: false)
    try expectRoundTrip([call])
  }
}

/// The ratio does not go to pieces unseen: the real figures are those of `Tests/Bench/run`.
@Suite struct TemplateRatioTests {
  @Test func streamsOfWordsShrinkToAnEightiethWithoutTimes() throws {
    var generator = Seeded(state: 20)
    let syllables = ["re", "fund", "pol", "icy", "an", "swer", "to", "the", "ques", "tion", "is", "our", "day", "thir"]
    let words = (0..<300).map { _ in
      (0..<Int.random(in: 1...3, using: &generator)).map { _ in syllables.randomElement(using: &generator) ?? "" }
        .joined()
    }
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, log: quiet)
    var raw = 0
    for index in 0..<40 {
      let id = String(index * 7919, radix: 36)
      let handle = writer.open(makeOpen(&generator, hasTimes: false))
      var bytes = 0
      for _ in 0..<150 {
        let word = words[Int(pow(Double(words.count), Double.random(in: 0..<1, using: &generator)))]
        let frame =
          Array(
            #"data: {"id":"chatcmpl-\#(id)","object":"chat","created":"2026-01-01T00:00:00Z","model":"gpt-4o-mini","provider":"openai","telemetry":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"},"choices":[{"index":0,"message":{"type":"content","role":"assistant","content":" \#(word)"},"finish_reason":null}]}"#
              .utf8) + [0x0A, 0x0A]
        writer.frame(handle, nil, frame)
        bytes += frame.count
      }
      writer.end(handle, offsetNs: nil, cause: .endOfBody)
      raw += bytes
    }
    try writer.close()
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(raw / report.segmentBytes >= 80, "\(raw) : \(report.segmentBytes)")
  }
}
