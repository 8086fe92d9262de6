internal import TapeArchive
internal import TapeRecorder
internal import TapeTypes

extension FuzzTarget {
  /// An HTTP archive is imported as a whole or not at all; what was imported is the same when it comes again, and
  /// comes back from an archive that is written of it with equal leaf hashes.
  static let har = FuzzTarget("har") { input in
    let store = try Store(path: "/s", access: .writing, files: MemoryArchive(), clock: StoppedClock())
    let first = try imported(input, store)
    let calls = try recorded(store)
    try expect(first.failure == nil || calls.isEmpty, "part of an archive that was refused is there")
    try expect(
      first.outcomes.allSatisfy { calls[$0.id] != nil } && calls.count <= first.outcomes.count, "calls are missing")
    let second = try imported(input, store)
    try expect(second.outcomes.allSatisfy { !$0.isNew }, "the same is imported twice")
    var writer = HARWriter(program: "tapedeck", version: "0")
    var again = writer.start()
    for call in calls.values {
      let state = CallState(head: call.head, end: call.end, isLive: false, isComplete: true, hasErrorFrame: false)
      again += writer.entry(call, state: state)
    }
    let other = try Store(path: "/o", access: .writing, files: MemoryArchive(), clock: StoppedClock())
    let result = try imported(again + writer.finish(), other)
    try expect(
      result.failure == nil, "an archive that was exported is refused: \(result.failure.map { "\($0)" } ?? "")")
    let copies = try recorded(other)
    try expect(
      calls.allSatisfy { id, call in copies[id].map { leafHash(of: $0) } == leafHash(of: call) },
      "a call does not come back as it was")
  }

  private static func imported(_ bytes: [UInt8], _ store: Store) throws -> Importer.FileResult {
    let file = try ScratchFile(bytes, suffix: ".har")
    var options = Importer.Options()
    options.startedAtNs = 1_767_225_600_000_000_000
    let importer = try Importer(store: store, options: options, log: quiet)
    let result = importer.importCalls(of: file.path)
    try importer.finish()
    return result
  }

  private static func recorded(_ store: Store) throws -> [CallID: RecordedCall] {
    var calls: [CallID: RecordedCall] = [:]
    try ArchiveReader(store: store).allCalls { call, _ in calls[call.open.id] = call }
    return calls
  }
}
