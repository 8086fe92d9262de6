import Crypto
import TapeArchive
import TapeJSON

extension FuzzTarget {
  /// Any JSON is a proof or none; what is one is written as it was read.
  static let proof = FuzzTarget("proof") { input in
    guard let value = try? JSONValue(parsing: input) else { return }
    if let proof = try? CallProof(value) {
      _ = proof.problems
      try expect((try? CallProof(proof.json)) == proof, "a proof is not written as it was read")
    }
    if let proof = try? ConsistencyProof(value) {
      _ = proof.problems
      try expect((try? ConsistencyProof(proof.json)) == proof, "a proof is not written as it was read")
    }
  }

  /// Any leaf lists and any checkpoint make a tree, or are reported. Parts between 0x1E: the checkpoint, then leaf
  /// lists from their third line on.
  static let tree = FuzzTarget("tree") { input in
    let parts = input.parts(0x1E)
    let files = MemoryArchive()
    let store = try Store(path: "/s", access: .writing, files: files, clock: StoppedClock())
    if !parts[0].isEmpty { files.set(store.archivePath + "/checkpoint", parts[0]) }
    for (index, part) in parts.dropFirst().prefix(4).enumerated() {
      let name = "S-\(JournalScript.writer)-00000\(index)-00000\(index)"
      let text = Array("tapedeck-leaves/1 \(name).tape.zst 5\n# words\n".utf8) + part
      let sum = Array("sha256 \(Hex.string(SHA256.hash(data: text)))\n".utf8)
      files.set("\(store.archivePath)/\(name).leaves", text + sum)
    }
    let tree = try ArchiveTree(store: store)
    _ = try? tree.end()
    for range in tree.missing { try expect(!range.isEmpty, "nothing is missing and named") }
    _ = try Verifier(store: store).run()
    _ = try? GrowingTree(store: store)
  }
}
