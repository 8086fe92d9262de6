import TapeArchive
import TapeTypes
import Testing

/// A tape gives back what it was made of, or nothing.
@Suite struct TapeFileTests {
  private func calls() throws -> [RecordedCall] {
    var generator = Seeded(state: 41)
    let store = try memoryStore()
    let writer = try JournalWriter(store: store, log: quiet)
    let calls = record(writer, &generator, calls: 6, unended: 3)
    try writer.close()
    return calls
  }

  private func read(_ tape: [UInt8]) throws -> [TapeFile.Entry] {
    var reader = TapeFile.Reader()
    var entries: [TapeFile.Entry] = []
    var lines = tape.split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for line in lines {
      if let entry = try Array(line).withUnsafeBytes({ try reader.take($0) }) { entries.append(entry) }
    }
    try reader.finish()
    return entries
  }

  private func tape(_ calls: [RecordedCall]) throws -> [UInt8] {
    var tree = CompactTree()
    let leaves = try calls.map { try #require(MerkleHash(leafHash(of: $0))) }
    for leaf in leaves { tree.append(leaf) }
    var subtrees = SubtreeHashes(leaves)
    var writer = TapeFile.Writer()
    var tape = writer.start(CheckpointNote(Checkpoint(origin: "test", tree: tree)))
    for (number, call) in calls.enumerated() {
      let path = MerkleProof.inclusion(of: number, in: calls.count).map { subtrees.hash($0) }
      tape += writer.call(call, number % 2 == 0 ? TapeFile.Place(leafNumber: number, path: path) : nil)
    }
    return tape + writer.finish()
  }

  @Test func callsOfEveryKindComeBack() throws {
    let calls = try calls()
    let tape = try tape(calls)
    let read = try read(tape)
    #expect(read.map(\.call) == calls)
    #expect(read.map { $0.place?.leafNumber } == [0, nil, 2, nil, 4, nil])
    let text = try #require(String(validating: tape, as: UTF8.self))
    #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value)) })
  }

  @Test func noByteOfATapeCanBeChangedOrLeftOut() throws {
    let tape = try tape(Array(calls().prefix(2)))
    for offset in stride(from: 0, to: tape.count - 1, by: 7) {
      var changed = tape
      changed[offset] ^= 1 << UInt8(offset % 8)
      #expect(throws: (any Error).self, "byte \(offset)") { try read(changed) }
      changed = tape
      changed.remove(at: offset)
      #expect(throws: (any Error).self, "without byte \(offset)") { try read(changed) }
    }
    for length in stride(from: 0, to: tape.count - 1, by: 11) {
      #expect(throws: (any Error).self, "cut at \(length)") { try read(Array(tape[..<length])) }
    }
    #expect(throws: (any Error).self) { try read(tape + Array("\n".utf8)) }
  }

  @Test func aTapeOfANewerVersionIsRefused() throws {
    let error = #expect(throws: TapeError.self) { try read(Array("tapedeck-tape/2\n".utf8)) }
    #expect(error?.code == .newerVersion)
  }
}
