internal import TapeArchive
package import TapeTypes

/// Makes calls that no upstream would send in one day: streams like those of a model, the same with bytes changed,
/// and noise. The same seed gives the same calls.
package struct RandomCalls {
  private var state: UInt64
  private var made: UInt64 = 0
  /// Streams to change, beside those it makes itself.
  private let samples: [[UInt8]]

  package init(seed: UInt64, samples: [[UInt8]] = []) {
    state = seed
    self.samples = samples
  }

  /// A call with every part of it chosen at random; its end record says what is there.
  package mutating func next() -> RecordedCall {
    made += 1
    let hasTimes = chance(5, of: 6)
    let started = 1_767_225_600_000_000_000 + Int64(below(1_000_000_000))
    let open = CallOpen(
      id: CallID(high: 0x019B_0000_0000_0000 | made << 16 | UInt64(below(0x10000)), low: random()),
      startedAtNs: chance(1, of: 20) ? Int64(bitPattern: random()) / 4 : started,
      origin: [.proxy, .record, .library, .import][below(4)], upstream: chance(1, of: 3) ? "" : "https://api.example",
      method: chance(1, of: 9) ? text(4) : "POST", path: "/v2/deployments/stream" + (chance(1, of: 2) ? text(12) : ""),
      headers: (0..<below(4)).map { _ in HeaderField(text(6), text(20)) }, body: body(),
      keyFingerprint: chance(1, of: 2) ? "00ff" : nil, hasTimes: hasTimes,
      redactions: (0..<below(3)).map { _ in text(9) }, salt: noise(16))
    var call = RecordedCall(open: open)
    if chance(5, of: 6) {
      call.head = CallHead(
        offsetNs: hasTimes ? Int64(below(1 << 30)) : nil, status: [200, 200, 204, 429, 500, 0][below(6)],
        httpVersion: ["1.1", "2", ""][below(3)], headers: (0..<below(3)).map { _ in HeaderField(text(6), text(9)) },
        decoded: chance(1, of: 8) ? "gzip" : nil)
    }
    var offset: Int64 = 0
    for frame in frames() {
      call.raw += frame
      call.frameEnds.append(call.raw.count)
      offset = chance(1, of: 200) ? Int64(bitPattern: random()) / 4 : offset + Int64(below(1 << below(36)))
      if hasTimes { call.frameOffsetsNs.append(offset) }
    }
    call.end = end(call)
    return call
  }

  // MARK: Frames

  /// The frames of one response.
  package mutating func frames() -> [[UInt8]] {
    switch below(12) {
    case 0: return []
    case 1: return (0..<below(30)).map { _ in noise(below(60)) }
    case 2: return [body()]
    case 3 where !samples.isEmpty: return cut(samples[below(samples.count)])
    case 4 where !samples.isEmpty: return cut(samples[below(samples.count)]).map { changed($0, oneIn: 6) }
    case 5: return cut(stream().joined(), anywhere: true)
    case 6, 7: return stream().map { changed($0, oneIn: 10) }
    case 8: return stream().map { changed($0, oneIn: 2) }
    default: return stream()
    }
  }

  /// A stream like a model's: one or two templates with holes, others in between.
  private mutating func stream() -> [[UInt8]] {
    let lineEnd = ["\n", "\n", "\n", "\r\n", "\r"][below(5)]
    let counts = chance(1, of: 2)
    let obfuscates = chance(1, of: 4)
    let id = text(8, plain: true)
    var frames: [[UInt8]] = []
    for index in 0..<below(chance(1, of: 8) ? 600 : 40) {
      var members = #"{"id":"\#(id)","object":"chat.completion.chunk","created":1767225600"#
      if counts { members += ",\"sequence_number\":\(index)" }
      members +=
        #","choices":[{"index":\#(chance(1, of: 9) ? 1 : 0),"delta":{"\#(chance(1, of: 5) ? "reasoning" : "content")":"#
      members += quoted(piece()) + "}}]"
      if obfuscates { members += ",\"obfuscation\":" + quoted(text(below(9), plain: true)) }
      if chance(1, of: 30) { members += ",\"usage\":{\"total_tokens\":\(random() >> UInt64(below(64)))}" }
      var frame = ""
      if counts, chance(1, of: 3) { frame += "id: \(index)" + lineEnd }
      if chance(1, of: 8) { frame += "event: \(text(4, plain: true))" + lineEnd }
      frame += (chance(1, of: 12) ? "data:" : "data: ") + members + "}" + lineEnd + lineEnd
      frames.append(chance(1, of: 25) ? Array((": ping " + text(3) + lineEnd + lineEnd).utf8) : Array(frame.utf8))
    }
    if chance(2, of: 3) { frames.append(Array("data: [DONE]\(lineEnd)\(lineEnd)".utf8)) }
    if chance(1, of: 6) { frames.append(Array("data: {\"cut".utf8)) }
    return frames
  }

  private mutating func piece() -> String {
    let pieces = [
      " the", " refund", " policy", "\n", " \u{1F600}", "é", "", " \"quoted\"", "\\", "数据", "\u{7}", "\u{2028}", "0",
      " 12",
    ]
    return chance(1, of: 15) ? text(below(60)) : pieces[below(pieces.count)]
  }

  /// A JSON string, escaped in one of the ways that senders have.
  private mutating func quoted(_ text: String) -> String {
    let escapesAll = chance(1, of: 6)
    let upper = chance(1, of: 2)
    var out = "\""
    for unit in text.utf16 {
      switch unit {
      case 0x22: out += "\\\""
      case 0x5C: out += "\\\\"
      case 0x0A where !escapesAll: out += "\\n"
      case 0x2F where chance(1, of: 2): out += "\\/"
      case 0x20...0x7E where !escapesAll || chance(3, of: 4): out += String(UnicodeScalar(UInt8(unit)))
      default:
        let digits = String(unit, radix: 16, uppercase: upper)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    if chance(1, of: 60) { out += "\\ud83d" }
    return out + "\""
  }

  // MARK: Pieces of chance

  private mutating func end(_ call: RecordedCall) -> CallEnd? {
    guard chance(7, of: 8) else { return nil }
    let causes: [CallEnd.Cause] = [.endOfBody, .endOfBody, .clientClosed, .upstreamClosed, .timeout, .upstreamFailed]
    return CallEnd(
      offsetNs: call.open.hasTimes ? Int64(below(1 << 40)) : nil, cause: causes[below(6)],
      detail: chance(1, of: 4) ? text(20) : nil, clientClosedNs: chance(1, of: 5) ? Int64(below(1 << 40)) : nil,
      frames: call.frameCount, bytes: call.raw.count, sha256: hash(call.raw),
      sawDone: chance(1, of: 5), clockStepNs: chance(1, of: 5) ? -7 : 0)
  }

  private func hash(_ raw: [UInt8]) -> [UInt8] {
    var hasher = LeafHasher()
    raw.withUnsafeBytes { hasher.frame(offsetNs: nil, $0) }
    return hasher.rawHash
  }

  private mutating func body() -> [UInt8] {
    switch below(5) {
    case 0: []
    case 1: noise(below(300))
    case 2: Array(#"{"key":"k","messages":[{"role":"user","content":\#(quoted(text(40)))}],"n":1.50e3}"#.utf8)
    case 3: Array("not json \u{1B}[31m\n\0".utf8)
    default: Array(#"{ "key" : "k" }"#.utf8)
    }
  }

  /// A stream's frames; or, anywhere, pieces that do not heed what is in it.
  private mutating func cut(_ stream: some Sequence<UInt8>, anywhere: Bool = false) -> [[UInt8]] {
    var frames: [[UInt8]] = [[]]
    for byte in stream {
      let last = frames[frames.count - 1]
      let isEnd = anywhere ? chance(1, of: 50) : byte == 0x0A && last.last == 0x0A
      frames[frames.count - 1].append(byte)
      if isEnd { frames.append([]) }
    }
    return frames
  }

  /// The frame, or now and then one with bytes changed, left out, doubled or put in.
  private mutating func changed(_ frame: [UInt8], oneIn odds: Int) -> [UInt8] {
    var frame = frame
    while chance(1, of: odds) {
      let at = below(frame.count + 1)
      switch below(5) {
      case 0: frame.insert(UInt8(below(256)), at: at)
      case 1 where at < frame.count: frame[at] = UInt8(below(256))
      case 2: frame.removeSubrange(at..<min(frame.count, at + below(9)))
      case 3: frame.insert(contentsOf: frame[at..<min(frame.count, at + below(30))], at: at)
      default: frame.insert([0x00, 0x0A, 0x0D, 0x1B, 0x22, 0x5C, 0xC3, 0xED, 0xFF][below(9)], at: at)
      }
    }
    return frame
  }

  private mutating func text(_ count: Int, plain: Bool = false) -> String {
    let alphabet = Array(
      plain ? "abcXYZ0189" : "abcXYZ019 \"\\/\n\t\u{1}\u{1B}\u{7F}é\u{301}数\u{1F600}\u{2028}{}[]:,#-")
    return String((0..<count).map { _ in alphabet[below(alphabet.count)] })
  }

  private mutating func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(below(256)) } }

  package mutating func chance(_ favourable: Int, of all: Int) -> Bool { below(all) < favourable }
  package mutating func below(_ bound: Int) -> Int { Int(random() >> 11) % max(1, bound) }

  /// SplitMix64.
  private mutating func random() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
