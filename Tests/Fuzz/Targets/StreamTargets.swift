internal import TapeDialects
internal import TapeJSON
internal import TapeSSE
internal import TapeTypes

extension FuzzTarget {
  /// Frames and events are the same for every chunking, and the frames join to the input.
  static let sse = FuzzTarget("sse") { input in
    guard let (choice, body) = input.variant else { return }
    let whole = split(body, sizes: [])
    try expect(whole.bytes == body, "frames do not join to the input")
    // Byte by byte, and in pieces of sizes that the first byte chooses.
    for sizes in [[1], [Int(choice & 15) + 1, Int(choice >> 4) + 1]] {
      try expect(split(body, sizes: sizes).ends == whole.ends, "frames depend on the chunking \(sizes)")
      try expect(events(body, sizes: sizes) == events(body, sizes: []), "events depend on the chunking \(sizes)")
    }
    try expect(FrameSplitter.split(body).frameEnds == whole.ends, "split of a whole body differs")
    // A limit drops whole events, and never more than it says.
    let limited = events(body, sizes: [], limit: 16)
    try expect(limited.allSatisfy { $0.data.utf8.count <= 3 * 16 }, "an event over the limit")
    body.withUnsafeBytes { bytes in
      let fields = FrameFields(bytes, isFirst: choice & 1 == 1)
      fields.withData(of: bytes, isFirst: choice & 1 == 1) { _ in }
    }
  }

  private static func chunks(_ body: [UInt8], _ sizes: [Int], _ take: (UnsafeRawBufferPointer) -> Void) {
    body.withUnsafeBytes { bytes in
      guard !sizes.isEmpty else { return take(bytes) }
      var position = 0
      var turn = 0
      while position < bytes.count {
        let end = min(bytes.count, position + sizes[turn % sizes.count])
        take(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
        position = end
        turn += 1
      }
    }
  }

  private static func split(_ body: [UInt8], sizes: [Int]) -> (ends: [Int], bytes: [UInt8]) {
    var splitter = FrameSplitter()
    var ends: [Int] = []
    var joined: [UInt8] = []
    let deliver: FrameSplitter.Delivery = { piece, _, bytes in
      joined.append(contentsOf: bytes)
      if piece == .frame { ends.append(joined.count) }
    }
    chunks(body, sizes) { splitter.feed($0, offsetNs: 0, deliver) }
    splitter.finish(deliver)
    return (ends, joined)
  }

  private static func events(
    _ body: [UInt8], sizes: [Int], limit: Int = EventParser.defaultMaximumEventBytes
  ) -> [SSEEvent] {
    var parser = EventParser(maximumEventBytes: limit)
    var events: [SSEEvent] = []
    chunks(body, sizes) { parser.feed($0) { events.append($0) } }
    parser.finish()
    return events
  }

  /// What parses is the same after it was written and parsed again; skipping and reading agree on what is JSON.
  static let json = FuzzTarget("json") { input in
    let value = try? JSONValue(parsing: input)
    let isSkipped = input.withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      return (try? cursor.document()) != nil
    }
    try expect(isSkipped == (value != nil), "skipping and reading disagree on what is JSON")
    guard let value else { return }
    let written = value.compact
    try expect((try? JSONValue(parsing: written)) == value, "JSON does not come back as it was written")
    try expect((try? JSONValue(parsing: written))?.compact == written, "compact JSON has two forms")
  }

  /// Any frames give a generation, and the same one again, asked for in between or not.
  static let dialect = FuzzTarget("dialect", longestInput: 16_384) { input in
    guard let (choice, body) = input.variant else { return }
    let paths = [
      "/v2/deployments/stream", "/v2/router/chat/completions", "/whatever/the/events/say", "/v3/router/responses",
    ]
    let open = CallOpen(
      id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .import, path: paths[Int(choice & 3)], salt: [])
    let head = CallHead(
      offsetNs: 0, status: choice & 4 == 0 ? 200 : 429,
      headers: [HeaderField("Content-Type", choice & 8 == 0 ? "text/event-stream" : "application/json; x=1")])
    let end = CallEnd(
      offsetNs: nil, cause: choice & 16 == 0 ? .endOfBody : .upstreamClosed, frames: 0, bytes: 0, sha256: nil)
    let frames = FrameSplitter.split(body, mode: choice & 32 == 0 ? .events : .opaque).frameEnds
    let call = RecordedCall(open: open, head: head, end: end, raw: body, frameEnds: frames)

    var watched = Reconstructor(open: open, head: head)
    body.withUnsafeBytes { raw in
      for index in 0..<call.frameCount {
        watched.consume(frame: UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)]), offsetNs: nil)
        if index < 4 { _ = watched.snapshot(withHistory: true) }
      }
    }
    let generation = watched.finish(end: end)
    try expect(generation == TapeDialects.generation(of: call), "looking at a generation in between changes it")
    try expect(
      generation.complete || !generation.defects.isEmpty, "an incomplete generation without a defect")
    for count in [generation.usage?.prompt, generation.usage?.completion, generation.usage?.total] {
      try expect(count ?? 0 >= 0, "a negative count of tokens")
    }
  }

  /// Any request gives facts; the parts before the first 0x1E are header values, what follows is the body.
  static let request = FuzzTarget("request") { input in
    var parts = input.parts(0x1E)
    let body = parts.removeLast()
    let names = ["traceparent", "x-orq-identity-id", "x-orq-contact-id", "x-tapedeck-thread", "x-tapedeck-identity"]
    let headers = zip(names, parts).map { HeaderField($0, String(decoding: $1, as: UTF8.self)) }
    let open = CallOpen(
      id: CallID(high: 1, low: 1), startedAtNs: 0, origin: .import, headers: headers, body: body, salt: [])
    try expect(RequestFacts(open) == RequestFacts(open), "the facts of a request change")
  }
}
