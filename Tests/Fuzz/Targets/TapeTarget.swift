internal import Crypto
internal import TapeArchive
internal import TapeRecorder
internal import TapeSSE
internal import TapeTypes

extension FuzzTarget {
  /// A tape is imported as a whole or not at all, and one that was changed gives the same calls or none.
  ///
  /// If the first byte is even, the rest is a tape as it is, odd: one whose checksum is made right. Else (bit 2) a tape
  /// is written of made-up calls, and the bytes before `FF 1E` change it: two bytes of position, one to put there.
  static let tape = FuzzTarget("tape", longestInput: 8192) { input in
    guard let (choice, rest) = input.variant else { return }
    guard choice & 2 == 2 else { return try take(choice & 1 == 1 ? withChecksum(rest) : rest) }
    let parts = SegmentScript.parts(rest)
    let call = madeUpCall(parts.dropFirst().first ?? [], choice)
    var writer = TapeFile.Writer()
    let tape = writer.start(nil) + writer.call(call, nil) + writer.finish()
    try expect(try read(tape) == [call], "a tape does not come back as it was written")
    var changed = tape
    for change in stride(from: 0, to: parts[0].count - 2, by: 3) {
      changed[(Int(parts[0][change]) << 8 | Int(parts[0][change + 1])) % tape.count] = parts[0][change + 2]
    }
    try take(changed)
    if let calls = try? read(withChecksum(Array(changed.dropLast(72)))) {
      try expect(calls == [call] || calls.isEmpty, "a tape that was changed gives another call")
    }
    try take(withChecksum(Array(changed.dropLast(72))))
  }

  private static func withChecksum(_ lines: [UInt8]) -> [UInt8] {
    lines + Array("sha256 \(Hex.string(SHA256.hash(data: lines)))\n".utf8)
  }

  /// The calls of a tape, as far as it is one.
  private static func read(_ tape: [UInt8]) throws -> [RecordedCall] {
    var reader = TapeFile.Reader()
    var calls: [RecordedCall] = []
    for line in tape.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
      if let entry = try Array(line).withUnsafeBytes({ try reader.take($0) }) { calls.append(entry.call) }
    }
    try reader.finish()
    return calls
  }

  private static func take(_ tape: [UInt8]) throws {
    let store = try Store(path: "/s", access: .writing, files: MemoryArchive(), clock: StoppedClock())
    let file = try ScratchFile(tape, suffix: ".tape")
    let importer = try Importer(store: store, options: .init(), log: quiet)
    let result = importer.importCalls(of: file.path)
    try importer.finish()
    let state = try ArchiveState(store)
    guard result.failure == nil else { return try expect(state.ids.isEmpty, "a tape was imported by half") }
    let calls = (try? read(tape)) ?? []
    try expect(state.ids == Set(result.outcomes.map(\.id)), "other calls are there than were imported")
    // Credentials are removed on the way in, and a call of the same id is the same call.
    for call in calls {
      try expect(state.calls[call.open.id]?.raw == call.raw, "call \(call.open.id) is another one once imported")
    }
  }

  private static func madeUpCall(_ body: [UInt8], _ choice: UInt8) -> RecordedCall {
    let frames = FrameSplitter.split(body).frameEnds
    let hasTimes = choice & 4 == 0
    let open = CallOpen(
      id: CallID(high: 0x0192_0000_0000_0001, low: 7), startedAtNs: 1_767_225_600_000_000_000, origin: .proxy,
      upstream: "u", path: "/p", body: Array(body.prefix(Int(choice >> 4))), hasTimes: hasTimes,
      salt: [UInt8](repeating: choice, count: 16))
    let head = CallHead(
      offsetNs: hasTimes ? 1 : nil, status: 200, httpVersion: "2",
      headers: [HeaderField("Content-Type", "text/event-stream"), HeaderField("X", "\u{202E}\u{1B}[31m")])
    let end = CallEnd(
      offsetNs: hasTimes ? 9 : nil, cause: .endOfBody, frames: frames.count, bytes: body.count,
      sha256: Array(SHA256.hash(data: body)))
    return RecordedCall(
      open: open, head: head, end: choice & 8 == 0 ? end : nil, raw: body, frameEnds: frames,
      frameOffsetsNs: hasTimes ? frames.indices.map { Int64($0) * 1500 } : [])
  }
}
