import TapeArchive
import TapeTypes
import Testing

/// A store with a few segments of a few calls each, on a disk in memory.
struct SealedStore {
  let files: MemoryFiles
  let store: Store
  /// In the order of sealing, with their calls.
  private(set) var segments: [(name: String, calls: [CallID])] = []

  init(seals: Int = 3, calls: Int = 3, seed: UInt64 = 21) throws {
    files = MemoryFiles()
    store = try memoryStore(files)
    var generator = Seeded(state: seed)
    for _ in 0..<seals { try seal(calls, &generator) }
  }

  mutating func seal(_ calls: Int, _ generator: inout Seeded) throws {
    let writer = try JournalWriter(store: store, log: quiet)
    var ids: [CallID] = []
    for index in 0..<calls {
      let open = makeOpen(&generator, hasTimes: index % 2 == 0)
      ids.append(open.id)
      let handle = writer.open(open)
      writer.head(handle, CallHead(offsetNs: index % 2 == 0 ? 3 : nil, status: 200))
      for frame in 0..<3 { writer.frame(handle, index % 2 == 0 ? Int64(frame * 1000) : nil, "data: \(frame)\r\n\r\n") }
      writer.end(handle, offsetNs: index % 2 == 0 ? 5 : nil, cause: .endOfBody)
    }
    try writer.close()
    let report = try Sealer(store: store, log: quiet).seal()
    let name = try #require(report.segments.first)
    segments.append((name, try SegmentReader(store: store, name: name).entries.map(\.id)))
  }

  func path(_ name: String) -> String { store.archivePath + "/" + name }
  func bytes(_ name: String) -> [UInt8] { files.bytes(path(name)) }
  func set(_ name: String, _ bytes: [UInt8]) { files.set(path(name), bytes) }
  func remove(_ name: String) throws { try store.files.unlink(path(name)) }

  func verify(_ kept: CheckpointNote...) throws -> VerifyReport {
    try Verifier(store: store).run(kept: kept.map { Verifier.Kept(name: "kept", note: $0) })
  }

  /// All calls that the report says something is wrong with.
  func affected(_ report: VerifyReport) -> Set<CallID> { Set(report.damage.flatMap(\.calls)) }
}
