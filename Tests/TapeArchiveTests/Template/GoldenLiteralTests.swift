import Foundation
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeArchive

/// A segment of `literal/1`, made by a program that wrote them: it is read for good.
@Suite struct GoldenLiteralTests {
  private let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden/literal-1")
  private let name = "S-01M83EVV8SC9R8TCZKBZ07XMC3-000005-000005.tape.zst"

  private func store() throws -> (MemoryFiles, Store) {
    let files = MemoryFiles()
    let store = try memoryStore(files)
    files.set(store.archivePath + "/" + name, [UInt8](try Data(contentsOf: directory.appendingPathComponent(name))))
    return (files, store)
  }

  /// `<id> <frames> <bytes> <leaf hash>` for each call.
  private func expected() throws -> [String] {
    try String(contentsOf: directory.appendingPathComponent("leaves.txt"), encoding: .utf8).split(separator: "\n")
      .map(String.init)
  }

  private func read(_ store: Store) throws -> [String] {
    var lines: [String] = []
    try SegmentReader(store: store, name: name).forEachCall { call, _, leaf in
      lines.append("\(call.open.id) \(call.frameCount) \(call.raw.count) \(Hex.string(leaf))")
    }
    return lines
  }

  @Test func itsCallsAreWhatTheyWere() throws {
    let (_, store) = try store()
    #expect(try read(store) == expected())
    #expect(try expected().count == 6)
    let found = try ArchiveReader(store: store).find(#require(CallID("01KDVDNA00AAAAAAAAAAAAAAA4")))
    #expect(found?.call.raw.firstRange(of: [0xFF, 0xFE, 0x00]) != nil)
    #expect(found?.call.frameOffsetsNs == [9, 10, 8_997_000_000])
  }

  @Test func repackedItHasTheSameLeaves() throws {
    let (_, store) = try store()
    let report = try Repacker(store: store, level: 9, log: quiet).repack()
    #expect(report.rewritten == [name] && report.damage.isEmpty)
    #expect(try SegmentFile(store: store, name: name).coding is TemplateCoding)
    #expect(try read(store) == expected())
    #expect(store.archiveNames == [name])
  }
}
