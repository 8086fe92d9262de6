import Foundation
import TapeArchive
import TapeTypes
import Testing

/// `schema/archive.md` says what the code does.
@Suite struct ArchivePageTests {
  private let page: String

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    page = try String(contentsOf: root.appendingPathComponent("schema/archive.md"), encoding: .utf8)
  }

  private func section(_ title: String) throws -> Substring {
    let start = try #require(page.range(of: "\n## \(title)\n")).upperBound
    let end = page.range(of: "\n## ", range: start..<page.endIndex)?.lowerBound ?? page.endIndex
    return page[start..<end]
  }

  /// The cells of each row of the tables in a section.
  private func rows(_ title: String) throws -> [[String]] {
    try section(title).split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
      line.split(separator: "|").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
    }
  }

  private func fence(_ name: String) throws -> String {
    let start = try #require(page.range(of: "```\(name)\n")).upperBound
    let end = try #require(page.range(of: "```\n", range: start..<page.endIndex)).lowerBound
    return String(page[start..<end])
  }

  @Test func itListsTheRecordKinds() throws {
    let kinds = try rows("Journal").filter { $0.count == 3 }.map { $0[0] }
    let known = JournalKind.allCases.map(\.rawValue)
    #expect(
      kinds.filter { known.contains($0) } == [
        "journal", "open", "head", "frame", "delta", "part", "end", "gap", "resume", "batch",
      ])
    #expect(Set(known).isSubset(of: kinds))
  }

  @Test func itsConstantsAreThoseOfTheCode() throws {
    func hex(_ value: UInt32) -> String {
      let digits = String(value, radix: 16, uppercase: true)
      return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
    let page = Dictionary(uniqueKeysWithValues: try rows("Constants").dropFirst().map { ($0[0], $0[1]) })
    #expect(
      page == [
        "journal magic": JournalFormat.magic, "segment magic": SegmentFormat.magic, "block coding": "template/1",
        "store version": "\(Store.version)", "largest key frame": "\(JournalFormat.largestKey)",
        "frames per key frame": "\(JournalFormat.framesPerKey)", "calls per block": "\(SegmentFormat.callsPerBlock)",
        "text per block": "\(SegmentFormat.textPerBlock)", "cuts magic": hex(SegmentFormat.cutsMagic),
        "bytes per block": "\(SegmentFormat.bytesPerBlock)", "bytes per segment": "\(SegmentFormat.bytesPerSegment)",
        "window log": "\(SegmentFormat.windowLog)", "times magic": hex(SegmentFormat.timesMagic),
        "sums magic": hex(SegmentFormat.sumsMagic), "proofs magic": hex(SegmentFormat.proofsMagic),
        "seek table magic": hex(SegmentFormat.seekTableMagic),
        "leaf list magic": LeafList.magic,
      ])
    #expect(self.page.contains("| end | `offset_ns`?, `cause`, `detail`?, `client_closed_ns`?, `frames`, `bytes`,"))
    for cause in ["end_of_body", "client_closed", "upstream_closed", "timeout", "upstream_failed", "archive_stopped"] {
      #expect(CallEnd.Cause(rawValue: cause) != nil)
      #expect(try section("Canonical JSON").contains("`\(cause)`"))
    }
  }

  @Test func itsExampleIsAJournal() throws {
    let text = Array(try fence("journal").utf8)
    let mark = try #require(page.range(of: "`J-01"))
    let name = page[page.index(after: mark.lowerBound)...].prefix { $0 != "`" }
    let files = MemoryFiles()
    let store = try memoryStore(files)
    files.set(store.archivePath + "/" + name, text)
    let read = try Collector.all(store)
    #expect(read.damage.isEmpty)
    let call = try #require(read.calls.values.first)
    #expect(read.lost == [call.open.id])
    #expect(call.frameOffsetsNs == [200_000_123, 220_000_456, 240_000_789])
    #expect(
      String(decoding: call.raw, as: UTF8.self) == """
        data: {"id":"01J","content":"Hel"}

        data: {"id":"01J","content":"lo"}

        data: [DO
        """)
    #expect(Hex.string(leafHash(of: call)) + "\n" == (try fence("leaf")))
    // And it can be sealed.
    let report = try Sealer(store: store, log: quiet).seal()
    #expect(report.lostCalls == [call.open.id])
    #expect(try store.everything().calls[call.open.id].map(leafHash) == leafHash(of: call))
  }
}
