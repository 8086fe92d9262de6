import Foundation
import TapeArchive
import TapeJSON
import TapeTypes
import Testing

/// An archive of version 1 that stays in the repository for good: every later program reads it as it is.
/// `Tests/Golden/make.py` made it, and wrote down what each call consists of.
struct GoldenArchiveTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden/v1")

  private func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: Self.folder.appendingPathComponent(name)))
  }

  private func store() throws -> Store {
    try Store(path: Self.folder.appendingPathComponent("store").path, access: .reading)
  }

  @Test func everyCallIsWhatWasRecorded() throws {
    let manifest = try #require(try JSONValue(parsing: try bytes("manifest.json")).array)
    var calls: [CallID: RecordedCall] = [:]
    var damage: [Damage] = []
    try ArchiveReader(store: try store()).allCalls(onDamage: { damage.append($0) }) { call, _ in
      calls[call.open.id] = call
    }
    #expect(damage.isEmpty)
    #expect(manifest.count >= 48)
    for entry in manifest {
      let name = entry["name"]?.string ?? ""
      let id = try #require(entry["call_id"]?.string.flatMap { CallID($0) })
      if entry["erased"]?.bool == true {
        #expect(calls[id] == nil, "\(name)")
        continue
      }
      let found = calls.removeValue(forKey: id)
      let call = try #require(found, "\(name)")
      #expect(Hex.string(sha256(call.raw)) == entry["sha256"]?.string, "\(name)")
      #expect(Hex.string(sha256(call.open.body)) == entry["request_sha256"]?.string, "\(name)")
      #expect(Hex.string(leafHash(of: call)) == entry["leaf_hash"]?.string, "\(name)")
      #expect(
        (0..<call.frameCount).map { call.frameRange($0).count } == entry["frames"]?.array?.map(\.integer), "\(name)")
      let times = entry["times"]?.array?.map { $0.integer.map { Int64($0) } } ?? []
      #expect(call.frameOffsetsNs == times, "\(name)")
    }
    #expect(calls.isEmpty)
  }

  @Test func itIsWholeAndItsCheckpointIsSigned() throws {
    let note = try #require(CheckpointNote(try bytes("signed.checkpoint")))
    let verifier = String(decoding: try bytes("verifier.key").dropLast(), as: UTF8.self)
    let key = try #require(NoteVerifierKey(verifier))
    let report = try Verifier(store: try store()).run(kept: [.init(name: "signed", note: note, key: key)])
    #expect(report.damage.isEmpty)
    #expect(report.checkpoints.map(\.result) == [.same, .same])
    #expect(report.checkpoints.last?.signature == .valid)
  }
}
