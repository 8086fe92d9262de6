internal import Crypto
internal import TapeArchive
internal import TapeDialects
internal import TapeSSE
internal import TapeTypes

extension FuzzTarget {
  /// Any responses come back from a segment as they were, and their outlines say of them what their frames say.
  ///
  /// The first byte chooses path, head and end; calls are parted by `FF 1E`, so they share a block.
  static let outline = FuzzTarget("outline", longestInput: 8192) { input in
    guard let (choice, rest) = input.variant else { return }
    let files = MemoryArchive()
    let store = try Store(path: "/s", access: .writing, files: files, clock: StoppedClock())
    let calls = SegmentScript.parts(rest).prefix(8).enumerated().map { madeUp($1, number: $0 + 1, choice) }
    let records = calls.enumerated().flatMap { JournalScript.records(of: $1, number: $0 + 1) }
    files.set("\(store.archivePath)/\(JournalScript.name(1))", JournalScript.journal(records))
    let sealed = try Sealer(store: store, level: 1, log: quiet).seal()
    try expect(sealed.sealedCalls == calls.count, "\(calls.count - sealed.sealedCalls) calls are not sealed")
    var found = 0
    for name in sealed.segments {
      let reader = try SegmentReader(store: store, name: name)
      try reader.forEachOutline(onDamage: { throw Finding("what was sealed is damaged: \($0)") }) { sealed in
        guard let call = calls.first(where: { $0.open.id == sealed.id }) else { throw Finding("a call from nowhere") }
        try expect(try sealed.call() == call, "call \(sealed.id) is another one when it is decoded")
        guard let outline = sealed.outline else { throw Finding("call \(sealed.id) has no outline") }
        try compare(outline, call)
        found += 1
      }
    }
    try expect(found == calls.count, "calls are missing in the segment")
  }

  /// What an indexer takes from an outline is what it takes from the frames.
  private static func compare(_ outline: CallOutline, _ call: RecordedCall) throws {
    var (open, end) = (call.open, call.end)
    open.salt = []
    if outline.hashFollows { end?.sha256 = nil }
    try expect(outline.open == open && outline.head == call.head, "the outline has another beginning")
    try expect(outline.end == end, "the outline has another end")
    try expect(outline.frames == call.frameCount && outline.bytes == call.raw.count, "the outline has other sizes")
    try expect(outline.firstFrameNs == call.frameOffsetsNs.first, "the outline has another first frame")
    let gaps = zip(call.frameOffsetsNs, call.frameOffsetsNs.dropFirst()).map { $1 - $0 }
    try expect(outline.longestGapNs == gaps.max(), "the outline has another longest gap")
    for column in outline.columns {
      guard let frame = column.firstFrame, let arrival = column.firstNs else { continue }
      try expect(arrival == call.frameOffsetNs(frame), "the first value of \(column.path) came at another time")
    }
    guard let generation = TapeDialects.generation(of: outline) else { return }
    let decoded = TapeDialects.generation(of: call, withExtra: false)
    try expect(generation == decoded, "the outline gives \(generation), and the frames \(decoded)")
  }

  private static func madeUp(_ body: [UInt8], number: Int, _ choice: UInt8) -> RecordedCall {
    let paths = [
      "/v2/deployments/stream", "/v2/router/chat/completions", "/whatever/the/events/say", "/v3/router/responses",
    ]
    let hasTimes = choice & 64 == 0
    let open = CallOpen(
      id: CallID(high: 0x0192_0000_0000_0001 + UInt64(number), low: 7), startedAtNs: 1_767_225_600_000_000_000,
      origin: .proxy, upstream: "u", path: paths[Int(choice & 3)], body: Array(#"{"key":"k"}"#.utf8),
      hasTimes: hasTimes,
      salt: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 16))
    let head = CallHead(
      offsetNs: hasTimes ? 1 : nil, status: choice & 4 == 0 ? 200 : 429, httpVersion: "2",
      headers: [HeaderField("Content-Type", choice & 8 == 0 ? "text/event-stream" : "application/json")])
    let frames = FrameSplitter.split(body, mode: choice & 32 == 0 ? .events : .opaque).frameEnds
    var offsets: [Int64] = []
    for index in frames.indices where hasTimes {
      offsets.append((offsets.last ?? 5) + [0, 1, 1500, 20_000_000, 3_000_000_000][(index * 7 + frames[index]) % 5])
    }
    let end = CallEnd(
      offsetNs: hasTimes ? offsets.last ?? 9 : nil, cause: choice & 16 == 0 ? .endOfBody : .upstreamClosed,
      frames: frames.count, bytes: body.count, sha256: Array(SHA256.hash(data: body)))
    return RecordedCall(
      open: open, head: head, end: choice & 128 == 0 ? end : nil, raw: body, frameEnds: frames, frameOffsetsNs: offsets)
  }
}
