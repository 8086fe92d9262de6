import TapeArchive

extension FuzzTarget {
  /// What is a note is written as it was read, no made-up signature is valid, and no made-up path leads to a root.
  ///
  /// Parts between 0x1E: the note, a verifier key, a signing key, a path of hashes.
  static let note = FuzzTarget("note") { input in
    let parts = input.parts(0x1E) + [[], [], [], []]
    if let note = SignedNote(parts[0]) {
      try expect(note.bytes == parts[0], "a note is not written as it was read")
      for key in [Keys.fuzz, NoteVerifierKey(String(decoding: parts[1], as: UTF8.self))].compactMap({ $0 }) {
        // Only the seed of the corpus that was signed may be valid.
        try expect(note.check(key) != .valid || parts[0] == Keys.signed, "a signature from nowhere is valid")
      }
    }
    if let checkpoint = CheckpointNote(parts[0]) {
      try expect(checkpoint.checkpoint.text == checkpoint.note.text, "a checkpoint is not written as it was read")
    }
    if let key = NoteVerifierKey(String(decoding: parts[1], as: UTF8.self)) {
      try expect(NoteVerifierKey(key.description) == key, "a key is not written as it was read")
    }
    if let key = NoteSigningKey(String(decoding: parts[2], as: UTF8.self)) {
      try expect(NoteSigningKey(key.secretText)?.verifier == key.verifier, "a secret is not written as it was read")
    }
    try follow(parts[3])
  }

  /// Index and size in eight bytes each, the number of leaves in the older tree is the index; then hashes.
  private static func follow(_ bytes: [UInt8]) throws {
    func number(_ at: Int) -> Int { Int(truncatingIfNeeded: bytes[at..<(at + 8)].reduce(0) { $0 << 8 | UInt64($1) }) }
    guard bytes.count >= 16 else { return }
    let hashes = stride(from: 16, to: bytes.count - 31, by: 32).compactMap { MerkleHash(Array(bytes[$0..<($0 + 32)])) }
    guard let leaf = MerkleHash([UInt8](repeating: 7, count: 32)),
      let root = MerkleHash([UInt8](repeating: 9, count: 32))
    else { return }
    let (index, size) = (number(0), number(8))
    try expect(
      !MerkleProof.verifyInclusion(of: leaf, at: index, size: size, path: hashes, root: root), "a path from nowhere")
    try expect(
      !MerkleProof.verifyConsistency(from: index, oldRoot: leaf, to: size, root: root, path: hashes),
      "a tree that grew from nowhere")
  }

  private enum Keys {
    static let fuzz = NoteVerifierKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    /// The example of Go's `sumdb/note`.
    static let signed = Array(
      """
      If you think cryptography is the answer to your problem,
      then you don't know what your problem is.

      \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

      """.utf8)
  }
}
