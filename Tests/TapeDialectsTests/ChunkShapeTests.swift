import TapeJSON
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeDialects

/// Frames that are recognised say what they say when they are read in full.
@Suite struct ChunkShapeTests {
  /// Reads the frames in both ways, compares along the way and at the end, and returns how many were read in full
  /// before `[DONE]`.
  @discardableResult
  private func compare(
    _ frames: [[UInt8]], path: String = "/v2/deployments/stream", contentType: String = "text/event-stream",
    withExtra: Bool = false, _ what: String = ""
  ) -> Int {
    let open = CallOpen(id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .proxy, path: path, salt: [])
    let head = CallHead(offsetNs: 1, status: 200, headers: [HeaderField("Content-Type", contentType)])
    var quick = Reconstructor(open: open, head: head, withExtra: withExtra)
    var full = Reconstructor(open: open, head: head, withExtra: withExtra, recognising: false)
    var read = 0
    for (index, frame) in frames.enumerated() {
      frame.withUnsafeBytes {
        quick.consume(frame: $0, offsetNs: nil)
        full.consume(frame: $0, offsetNs: nil)
      }
      read = quick.shapes?.fullReads ?? read
      // Snapshots take long in a debug build.
      if frames.count > 50, index % 8 != 7 { continue }
      #expect(
        quick.snapshot(withHistory: true) == full.snapshot(withHistory: true),
        "frame \(index), \(String(decoding: frame, as: UTF8.self)) \(what)")
    }
    let bytes = frames.reduce(0) { $0 + $1.count }
    let end = CallEnd(offsetNs: 9, cause: .endOfBody, frames: frames.count, bytes: bytes, sha256: nil)
    #expect(quick.finish(end: end) == full.finish(end: end), "at the end \(what)")
    return read
  }

  private func compare(lines: [String]) -> Int { compare(lines.map { Array("data: \($0)\n\n".utf8) }) }

  // MARK: Any frames whatever

  @Test(arguments: OrqVector.all)
  func vectorsSayTheSame(vector: OrqVector) {
    let call = TapeDialectsTests.call(vector.sse)
    let frames = (0..<call.frameCount).map { Array(call.raw[call.frameRange($0)]) }
    for withExtra in [false, true] {
      compare(frames, withExtra: withExtra)
      // Each frame a few times, so that it is known by then.
      compare(frames.flatMap { [$0, $0, $0] }, withExtra: withExtra)
    }
  }

  @Test(arguments: 0..<20)
  func madeUpStreamsSayTheSame(hundred: Int) {
    for seed in UInt64(hundred * 50)..<UInt64(hundred * 50 + 50) {
      let stream = RandomStream(seed: seed)
      compare(
        stream.frames, path: stream.path, contentType: stream.contentType, withExtra: seed % 2 == 0, "seed \(seed)")
    }
  }

  /// Frames that are nearly those before them, and wrong in all ways.
  @Test(arguments: 0..<20)
  func nearlyTheSameFramesSayTheSame(hundred: Int) {
    var recognised = 0
    for seed in UInt64(hundred * 50)..<UInt64(hundred * 50 + 50) {
      let stream = RandomStream(seed: seed)
      var random = SeededNumbers(seed ^ 0xFACE)
      let frames = stream.frames.flatMap { varied($0, &random) }
      recognised +=
        frames.count
        - compare(
          frames, path: stream.path, contentType: stream.contentType, withExtra: seed % 2 == 0, "seed \(seed)")
    }
    // Else this would say nothing.
    #expect(recognised > 200)
  }

  /// Streams that stay for a while with one of a few frames, and then go over to another.
  @Test(arguments: 0..<20)
  func streamsThatChangeTheirFramesSayTheSame(ten: Int) {
    var recognised = 0
    for seed in UInt64(ten * 10)..<UInt64(ten * 10 + 10) {
      var random = SeededNumbers(seed ^ 0xC0FFEE)
      let moods = (0..<Int.random(in: 2...4, using: &random)).map { _ in mood(&random) }
      var now = 0
      let frames = (0..<80).map { number in
        if random.chance(15) { now = Int.random(in: 0..<moods.count, using: &random) }
        let piece = random.pick(["a", " b", "", "\\ud83d", "\\ude00", "数", "\\n", "aa"])
        let text = moods[now].with("%", piece).with("#", String(number))
        return Array("data: {\(text)}\n\n".utf8)
      }
      recognised += frames.count - compare(frames, withExtra: seed % 3 == 0, "seed \(seed)")
    }
    #expect(recognised > 20)
  }

  /// Members of a chunk: `%` stands for a piece of text, `#` for a number that differs in each.
  private func mood(_ random: inout SeededNumbers) -> String {
    let members = [
      "\"id\":\"r#\"", "\"created\":#", "\"model\":\"m0\"", "\"model\":\"m1\"", "\"provider\":\"p\"",
      "\"provider\":\"q\"",
      "\"finalized\":\"f1\"", "\"finalized\":\"f2\"", "\"finalized\":#", "\"extra\":\"x#\"", "\"extra\":1",
      "\"is_final\":false",
      "\"usage\":null", "\"usage\":{\"total_tokens\":#}", "\"usage\":{\"total_tokens\":7}", "\"error\":null",
      "\"error\":\"\"",
      "\"code\":\"c\"", "\"message\":\"m\"", "\"object\":\"chat.completion.chunk\"", "\"object\":\"o#\"",
      "\"retrievals\":[]",
      "\"retrievals\":[{\"d\":#}]", "\"telemetry\":{\"trace_id\":\"t\",\"x\":\"#\"}", "\"system_fingerprint\":\"fp\"",
    ]
    let messages = [
      "\"content\":\"%\"", "\"content\":\"%\"", "\"content\":\"\",\"reasoning\":\"%\"", "\"refusal\":\"%\"",
      "\"content\":null",
      "\"type\":\"content\",\"content\":\"%\"", "\"type\":\"tool_calls\",\"role\":\"assistant\"",
      "\"role\":\"user\",\"content\":\"x\"",
      "\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"\",\"arguments\":\"%\"}}]",
      "\"tool_calls\":[{\"index\":1,\"id\":\"i\",\"function\":{\"name\":\"n\",\"arguments\":\"%\"}}]",
      "\"tool_calls\":[{\"id\":\"j\",\"function\":{\"arguments\":\"%\"},\"thought_signature\":\"s\"}]",
      "\"reasoning_signature\":\"c2ln\",\"reasoning\":\"%\"", "\"redacted_reasoning\":\"r\",\"content\":\"%\"",
      "\"content\":[{\"type\":\"text\",\"text\":\"%\"}]", "\"content\":\"%\",\"url\":\"https://x/y.png\"",
      "\"content\":\"%\",\"name\":\"n#\"", "\"content\":\"%\",\"annotations\":[#]",
    ]
    let choice = [
      "\"index\":\(random.pick([0, 0, 0, 1]))", "\"\(random.pick(["message", "delta"]))\":{\(random.pick(messages))}",
      random.pick([
        "\"finish_reason\":null", "\"finish_reason\":\"stop\"", "\"finish_reason\":\"length\"", "\"logprobs\":null",
      ]),
    ]
    let chosen = (0..<Int.random(in: 1...5, using: &random)).map { _ in random.pick(members) }
    let second = random.chance(8) ? ",{\"index\":2,\"message\":{\"content\":\"%\"}}" : ""
    let choices = "\"choices\":[{\(choice.shuffled(using: &random).joined(separator: ","))}\(second)]"
    return (chosen + [choices]).shuffled(using: &random).joined(separator: ",")
  }

  /// The frame a few times, with something changed in some of them.
  private func varied(_ frame: [UInt8], _ random: inout SeededNumbers) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var base = frame
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      var copy = base
      switch Int.random(in: 0..<8, using: &random) {
      case ..<3: break
      case ..<6: replaceString(in: &copy, &random)
      case 6: base = copy
      default: changeByte(in: &copy, &random)
      }
      frames.append(copy)
    }
    return frames
  }

  private func replaceString(in frame: inout [UInt8], _ random: inout SeededNumbers) {
    let quotes = frame.indices.filter { frame[$0] == 0x22 }
    guard quotes.count > 1 else { return }
    let first = Int.random(in: 0..<quotes.count - 1, using: &random)
    let piece = random.pick([
      "", "a", " and more text than there was", "\\ud83d", "\\ude00", "\\u0061", "\\", "\"", "\",\"content\":\"x",
      "\n", "\r\n", "é", "e\u{301}", "stop", "\u{0}", "\\n\\\"", "null", "content",
    ])
    frame.replaceSubrange(quotes[first] + 1..<quotes[first + 1], with: Array(piece.utf8))
  }

  private func changeByte(in frame: inout [UInt8], _ random: inout SeededNumbers) {
    let index = Int.random(in: 0..<frame.count, using: &random)
    frame[index] = random.pick([0x22, 0x5C, 0x0A, 0x0D, 0xFF, 0x30, 0x31, 0x7B, 0x7D, 0x2C, 0x20])
  }

  // MARK: What is recognised

  private static func content(_ piece: String, rest: String = "") -> String {
    "{\"id\":\"r1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"\(piece)\"}}]\(rest)}"
  }

  @Test func textIsRecognised() {
    #expect(compare(lines: (0..<500).map { Self.content("piece \($0)") }) < 5)
  }

  @Test func escapesAndHalvesOfCharactersAreRecognised() {
    let pieces = ["a", "b", "c", "\\ud83d", "\\ude00", "\\n", "\\\"", "", "\u{e9}", "\\u00e9", "\\ud83d", "x"]
    #expect(compare(lines: pieces.map { Self.content($0) }) < 5)
  }

  @Test func choicesInTurnsAreRecognised() {
    let lines = (0..<400).map { "{\"choices\":[{\"index\":\($0 % 4),\"delta\":{\"content\":\"x\($0)\"}}]}" }
    #expect(compare(lines: lines) < 20)
  }

  @Test func argumentsReasoningAndRefusalsAreRecognised() {
    let messages = [
      "\"tool_calls\":[{\"index\":1,\"type\":\"function\",\"function\":{\"name\":\"\",\"arguments\":\"%\"}}]",
      "\"content\":\"\",\"reasoning\":\"%\"", "\"refusal\":\"%\"", "\"reasoning_content\":\"%\",\"role\":\"assistant\"",
    ]
    for message in messages {
      let lines = (0..<100).map { "{\"choices\":[{\"message\":{\(message.with("%", "p\($0)"))}}]}" }
      #expect(compare(lines: lines) < 5, "\(message)")
    }
  }

  @Test func paddingCountersAndTimesAreRecognised() {
    let lines = (0..<300).map {
      Self.content("x\($0)", rest: ",\"created\":\(1_700_000_000 + $0),\"obfuscation\":\"\($0 &* 7919)\",\"n\":\($0)")
    }
    #expect(compare(lines: lines) < 6)
  }

  @Test func commentsBetweenFramesDoNotMatter() {
    let frames = (0..<200).map { $0 % 3 == 0 ? ": keep-alive\n\n" : "data: \(Self.content("x\($0)"))\n\n" }
    #expect(compare(frames.map { Array($0.utf8) }) < 5)
  }

  @Test func aStreamThatNeverRepeatsIsLeftAlone() {
    let lines = (0..<200).map { "{\"k\($0)\":1,\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"}}]}" }
    #expect(compare(lines: lines) == 200)
  }

  // MARK: What looks the same and is not

  /// Each after frames of text, and followed by more of them.
  @Test(arguments: [
    content("x", rest: ",\"error\":\"boom\""), content("x", rest: ",\"error\":{\"message\":\"boom\"}"),
    content("x", rest: ",\"usage\":{\"total_tokens\":3,\"prompt_tokens\":1,\"completion_tokens\":2}"),
    content("x", rest: ",\"is_final\":true"), content("x", rest: ",\"content\":\"y\""), content("x\",\"content\":\"y"),
    content("x").replacing("\"m\"", with: "\"n\""), content("x").replacing("index\":0", with: "index\":1"),
    content("x").replacing("\"x\"", with: "null"), content("x").replacing("\"x\"", with: "7"),
    content("x").replacing("\"content\"", with: "\"c\\u006fntent\""),
    "{\"choices\":[{\"message\":{\"content\":\"x\"},\"index\":0}],\"model\":\"m\",\"id\":\"r1\"}",
    content("x\\ud800"), content("x\\q"), content("x") + " ", content("x") + "x", String(content("x").dropLast()),
    "[DONE]", "\ndata: \(content("x"))", content("x").replacing(",", with: ",\ndata: "),
  ])
  func somethingElseIsReadInFull(line: String) {
    let texts = (0..<6).map { Self.content("t\($0)") }
    for end in ["\n\n", "\r\n\r\n", "\r\r"] {
      let frames = (texts + [line, line] + texts + [line] + texts).map { Array("data: \($0)\(end)".utf8) }
      for withExtra in [false, true] { compare(frames, withExtra: withExtra) }
    }
  }

  /// The last one counts, also where it is one that was there before.
  @Test(arguments: [
    ("\"model\":\"%\"", ""), ("\"provider\":\"%\"", ""), ("\"finalized\":\"%\"", ""), ("\"extra\":\"%\"", ""),
    ("\"x\":1", "\"finish_reason\":\"%\","), ("\"usage\":{\"total_tokens\":%}", ""),
    ("\"retrievals\":[{\"d\":\"%\"}]", ""),
  ])
  func whatChangesAndChangesBackIsSeen(member: String, inChoice: String) {
    for values in [["1", "2"], ["\u{e9}", "e\u{301}"]] {
      let lines = (0..<60).map { number in
        let value = values[number / 5 % 2]
        let choice = "{\(inChoice)\"index\":0,\"message\":{\"content\":\"c\(number)\"}}"
        return "{\(member),\"choices\":[\(choice)]}".with("%", value)
      }
      for withExtra in [false, true] { compare(lines.map { Array("data: \($0)\n\n".utf8) }, withExtra: withExtra) }
    }
  }

  @Test func cumulativeTextStaysCumulative() {
    let words = (0..<40).map { "word\($0) " }
    let lines = words.indices.map { Self.content(words[...$0].joined()) }
    #expect(compare(lines: lines + [Self.content(words.joined(), rest: ",\"is_final\":true")]) < 10)
  }

  @Test func whatIsNotLookedAtIsStillJudgedByItsKind() {
    let texts = (0..<12).map {
      Self.content("t\($0)", rest: ",\"code\":\"a\($0)\",\"error\":\"\",\"object\":\"o\($0)\"")
    }
    let odd = [
      Self.content("t", rest: ",\"code\":\"z\",\"error\":\"boom\",\"object\":\"o\""),
      Self.content("t", rest: ",\"code\":7,\"error\":\"\",\"object\":7"),
    ]
    for withExtra in [false, true] {
      compare((texts + odd + texts).map { Array("data: \($0)\n\n".utf8) }, withExtra: withExtra)
    }
  }

  /// While the dialect is not known, a chunk's `object` may tell it.
  @Test func theDialectIsStillFound() {
    let objects = ["a", "b", "c", "d", "chat.completion.chunk", "e"]
    let lines = objects.map { "{\"object\":\"\($0)\",\"text\":\"t\"}" }
    compare(lines.map { Array("data: \($0)\n\n".utf8) }, path: "/elsewhere")
  }
}

extension String {
  /// With every such mark replaced; `replacing` takes a hundred times as long in a debug build.
  fileprivate func with(_ mark: Character, _ text: String) -> String {
    split(separator: mark, omittingEmptySubsequences: false).joined(separator: text)
  }
}
