/// Repeatable randomness (SplitMix64).
package struct SeededNumbers: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  package mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[Int.random(in: 0..<choices.count, using: &self)]
  }
}

/// The frames of a made-up stream: what providers send, what they should not, and then what a broken one might.
/// A function of its seed.
package struct RandomStream: Sendable {
  package private(set) var frames: [[UInt8]] = []
  package private(set) var path = "/v2/deployments/stream"
  package private(set) var contentType = "text/event-stream"
  package let seed: UInt64

  private var random: SeededNumbers
  private var lineEnd = "\n"
  private var counter = 0
  private var text = ""
  // What this stream is like.
  private var isDelta = false
  private var choices = 1
  private var withCounter = false
  private var withID = false
  private var withEvent = false
  private var withObfuscation = false
  private var withUsageInEach = false
  private var withNewCreated = false
  private var isCumulative = false
  private var escapesAll = false
  private var extraMembers = ""

  package init(seed: UInt64) {
    self.seed = seed
    random = SeededNumbers(seed)
    chooseKind()
    if random.chance(60) {
      add(message: "\"role\":\"assistant\",\"content\":\(random.pick(["\"\"", "\"\"", "null", "\"Hi\""]))")
    }
    for _ in 0..<Int.random(in: 0...4, using: &random) { addPart() }
    if random.chance(85) { addEnd() }
    if random.chance(12) { breakIt() }
  }

  private mutating func chooseKind() {
    isDelta = random.chance(35)
    path = isDelta ? "/v1/chat/completions" : random.chance(10) ? "/elsewhere" : path
    lineEnd = random.pick(["\n", "\n", "\n", "\r\n", "\r"])
    choices = random.pick([1, 1, 1, 2, 3])
    withCounter = random.chance(20)
    withID = random.chance(15)
    withEvent = random.chance(10)
    withObfuscation = random.chance(15)
    withUsageInEach = random.chance(6)
    withNewCreated = random.chance(5)
    isCumulative = random.chance(8)
    escapesAll = random.chance(15)
    if random.chance(20) {
      extraMembers = random.pick([
        ",\"foo\":[1,{\"bar\":\"x\"}]", ",\"error\":null", ",\"code\":\"\"", ",\"usage\":null",
      ])
    }
    if random.chance(4) { contentType = random.pick(["application/json", "text/plain; charset=utf-8"]) }
  }

  // MARK: Parts of a stream

  private mutating func addPart() {
    switch Int.random(in: 0..<100, using: &random) {
    case ..<45: addTexts()
    case ..<58: addTools()
    case ..<66: addReasoning()
    case ..<70: add(line: random.pick([": keep-alive", ":", "retry: 10", "event: ping", "id: 7", "what: ever"]))
    case ..<73: addError()
    case ..<76: add(message: random.pick(Self.oddMessages))
    case ..<79: add(chunk: random.pick(Self.oddChunks))
    case ..<82:
      add(line: random.pick(["data: nonsense", "data: {\"id\":", "data", "data: 1", "data:{\"a\":1}", "data: [1]"]))
    case ..<85: add(chunk: "\"model\":\"m\(Int.random(in: 0...1, using: &random))\",\"choices\":[]")
    case ..<87: addSurrogates()
    case ..<89: frames.append(random.pick([[0xEF, 0xBB, 0xBF], [0x64, 0x0A, 0x0A], Array(("\n\n").utf8)]))
    case ..<91: frames += Array(repeating: frames.last ?? [0x3A, 0x0A, 0x0A], count: 3)
    default: add(chunk: "\"usage\":\(usage())")
    }
  }

  private mutating func addTexts() {
    let field = isDelta ? "content" : random.pick(["content", "content", "content", "refusal", "reasoning_content"])
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let piece = word()
      text += piece
      let value = isCumulative ? text : piece
      add(message: "\(random.chance(30) ? "\"type\":\"content\"," : "")\"\(field)\":\(json(value))", choice: number())
      if random.chance(2) { add(line: ": keep-alive") }
    }
  }

  private mutating func addReasoning() {
    for _ in 0..<Int.random(in: 1...8, using: &random) {
      add(message: "\"content\":\"\",\"reasoning\":\(json(word()))", choice: number())
    }
    if random.chance(30) {
      for _ in 0..<random.pick([1, 2, 3]) {
        add(message: "\"reasoning_signature\":\"\(random.pick(["c2ln", "YWJj"]))\"")
      }
    }
  }

  private mutating func addTools() {
    let withIndex = !random.chance(15)
    for tool in 0..<random.pick([1, 1, 2, 3]) {
      let index = withIndex ? "\"index\":\(tool)," : ""
      let id = random.chance(90) ? "\"id\":\"call_\(random.next() % 1000)\"," : ""
      add(
        message:
          "\"tool_calls\":[{\(index)\(id)\"type\":\"function\",\"function\":{\"name\":\"tool\(tool)\",\"arguments\":\"\"}}]"
      )
      for _ in 0..<Int.random(in: 0...9, using: &random) {
        add(
          message:
            "\"tool_calls\":[{\(index)\"function\":{\"name\":\"\",\"arguments\":\(json(random.pick(["{\"a\":", "1", "}", " ", "\"數\""])))}}]"
        )
      }
    }
  }

  private mutating func addSurrogates() {
    for half in ["\\ud83d", "\\ude00", "\\ud83d\\ude00", "x"].shuffled(using: &random) {
      add(message: "\"content\":\"\(half)\"")
    }
  }

  private mutating func addError() {
    let error = random.pick([
      "{\"error\":{\"code\":502,\"message\":\"Bad gateway\"}}", "{\"code\":401,\"error\":\"Unauthorized\"}",
      "{\"message\":\"no\",\"code\":7}", "gone",
    ])
    if random.chance(30) { add(line: "event: error\(lineEnd)data: \(error)") } else { add(line: "data: \(error)") }
  }

  private mutating func addEnd() {
    if random.chance(80) {
      let last = random.chance(10) ? json(text) : "\"\""
      let usage = random.chance(70) ? ",\"usage\":\(usage())" : ""
      add(
        chunk:
          "\"is_final\":true,\"finalized\":\"2026-01-01T00:00:00Z\",\"choices\":[{\"index\":0,\"\(key)\":{\"content\":\(last)},\"finish_reason\":\"stop\"}]\(usage)"
      )
    }
    if random.chance(90) { add(line: random.pick(["data: [DONE]", "data: [DONE]", "data:[DONE] "])) }
    if random.chance(8) { addPart() }
    if random.chance(5), var last = frames.popLast() {
      last.removeLast(min(last.count, Int.random(in: 1...3, using: &random)))
      frames.append(last)
    }
  }

  // MARK: Frames

  private var key: String { isDelta ? "delta" : "message" }

  private mutating func number() -> Int { Int.random(in: 0..<choices, using: &random) }

  private mutating func add(message: String, choice: Int = 0) {
    add(chunk: "\"is_final\":false,\"choices\":[{\"index\":\(choice),\"\(key)\":{\(message)},\"finish_reason\":null}]")
  }

  private mutating func add(chunk: String) {
    counter += 1
    var members = "\"id\":\"r1\",\"object\":\"chat.completion.chunk\",\"model\":\"m0\",\"provider\":\"p\""
    members += ",\"created\":\(withNewCreated ? 1_700_000_000 + counter : 1_700_000_000)"
    if !isDelta { members += ",\"telemetry\":{\"trace_id\":\"t1\",\"span_id\":\"s1\"}" }
    if withCounter { members += ",\"sequence_number\":\(counter)" }
    if withUsageInEach {
      members += ",\"usage\":{\"total_tokens\":\(9 + counter),\"prompt_tokens\":9,\"completion_tokens\":\(counter)}"
    }
    members += extraMembers
    let padding = withObfuscation ? ",\"obfuscation\":\"\(String(random.next() % 100_000_000, radix: 36))\"" : ""
    add(line: "data: {\(members),\(chunk)\(padding)}")
  }

  private mutating func add(line: String) {
    var frame = ""
    if withID { frame += "id: \(counter)\(lineEnd)" }
    if withEvent { frame += "event: \(random.chance(95) ? "message" : "error")\(lineEnd)" }
    frame += line + lineEnd + lineEnd
    frames.append(Array(frame.utf8))
  }

  private mutating func usage() -> String {
    let prompt = Int.random(in: 0...50, using: &random)
    let completion = Int.random(in: 0...50, using: &random)
    return random.pick([
      "{\"total_tokens\":\(prompt + completion),\"prompt_tokens\":\(prompt),\"completion_tokens\":\(completion)}",
      "{\"prompt_tokens\":\(prompt),\"completion_tokens\":\(completion),\"prompt_tokens_details\":{\"cached_tokens\":\(prompt / 2)}}",
      "{\"prompt_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":\(prompt)}}", "{\"completion_tokens\":-1}",
      "{}",
    ])
  }

  private mutating func word() -> String {
    random.pick([
      "", "Hello", " world", " the", " refund", " policy", "\n", "数据", "é", "😀", " \"q\"", "a", "aa", "aaa", "\u{7F}",
      "\t", "\\", "/", " 12",
    ])
  }

  /// A JSON string, its characters escaped as this stream does.
  private mutating func json(_ text: String) -> String {
    let escapesThis = escapesAll || random.chance(5)
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x22, 0x5C: out += "\\\(scalar)"
      case 0x0A: out += "\\n"
      case 0x09: out += "\\t"
      case 0x7F... where escapesThis:
        for unit in String(scalar).utf16 { out += "\\u" + TestCall.hex(UInt64(unit), 4) }
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  // MARK: What should not come

  private static let oddMessages = [
    "\"content\":[{\"type\":\"text\",\"text\":\"part\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}}]",
    "\"content\":7", "\"content\":\"a\",\"content\":\"b\"", "\"\\u0063ontent\":\"hidden\"", "\"tool_calls\":{}",
    "\"type\":\"image\",\"url\":\"https://x/z.png\"", "\"redacted_reasoning\":\"xx\"",
    "\"role\":\"user\",\"name\":\"n\"",
    "\"content\":\"\\ud800\"", "\"content\":\"\\x\"", "\"reasoning\":\"r1\",\"reasoning_content\":\"r2\"",
  ]

  private static let oddChunks = [
    "\"choices\":[{\"index\":0,\"index\":1,\"message\":{\"content\":\"moved\"}}]", "\"choices\":{}", "\"choices\":[1]",
    "\"choices\":[{\"message\":{\"content\":\"unnumbered\"}}]",
    "\"choices\":[{\"index\":-1,\"delta\":{\"content\":\"n\"}}]",
    "\"choices\":[{\"index\":0.0,\"delta\":{\"content\":\"zero\"}}]", "\"choices\":[{\"text\":\"old\",\"index\":0}]",
    "\"retrievals\":[{\"document\":\"d\",\"metadata\":{\"file_name\":\"f\"}}]", "\"system_fingerprint\":\"fp\"",
    "\"model\":7", "\"telemetry\":\"t\"", "\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[{\"token\":\"x\"}]}}]",
    "\"is_final\":\"yes\"", "\"finalized\":1", "\"provider\":\"q\"", "\"id\":\"\"",
  ]

  /// Frames lost, repeated, exchanged; bytes changed.
  private mutating func breakIt() {
    for _ in 0..<Int.random(in: 1...3, using: &random) where !frames.isEmpty {
      let index = Int.random(in: 0..<frames.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: frames.remove(at: index)
      case 1: frames.insert(frames[index], at: Int.random(in: 0...frames.count, using: &random))
      case 2: frames.swapAt(index, Int.random(in: 0..<frames.count, using: &random))
      default:
        guard !frames[index].isEmpty else { continue }
        let at = Int.random(in: 0..<frames[index].count, using: &random)
        frames[index][at] = random.pick([
          0x22, 0x5C, 0x0A, 0x0D, 0xFF, 0xE6, 0x30, 0x7B, UInt8.random(in: 0...255, using: &random),
        ])
      }
    }
    frames.removeAll { $0.isEmpty }
  }
}
