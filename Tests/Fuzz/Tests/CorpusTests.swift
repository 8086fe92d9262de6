import Foundation
import FuzzTargets
import Testing

/// What a fuzzer starts from, and every input it ever found something with, stays without a finding.
struct CorpusTests {
  private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Corpus")

  @Test(arguments: FuzzTarget.all.map(\.name)) func everyInputOfTheCorpusIsTakenWithoutAFinding(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let folder = Self.corpus.appendingPathComponent(name)
    let inputs = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(!inputs.isEmpty)
    for input in inputs {
      let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(input)))
      do { try target.run(bytes) } catch { Issue.record("\(name)/\(input): \(error)") }
    }
  }

  @Test func everyFolderOfTheCorpusHasATarget() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
    #expect(Set(folders).subtracting(FuzzTarget.all.map(\.name)).isEmpty)
  }

  /// Cutting and changing what is in the corpus costs little and is a fuzzer's first step.
  @Test(arguments: FuzzTarget.all.map(\.name)) func noInputOfTheCorpusCutShortOrChangedGivesAFinding(name: String)
    throws
  {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let folder = Self.corpus.appendingPathComponent(name)
    var state: UInt64 = 1
    func random(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % max(1, below)
    }
    for input in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().prefix(40) {
      let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(input)))
      for _ in 0..<4 {
        var changed = bytes
        if random(2) == 0 { changed.removeLast(random(changed.count)) }
        for _ in 0..<random(3) where !changed.isEmpty { changed[random(changed.count)] = UInt8(random(256)) }
        do { try target.run(changed) } catch {
          Issue.record("\(name)/\(input) changed to \(Data(changed).base64EncodedString()): \(error)")
        }
      }
    }
  }
}
