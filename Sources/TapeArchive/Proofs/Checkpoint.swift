/// What the archive was at one moment: the size and the root of its tree. The text of a note
/// (<https://c2sp.org/tlog-checkpoint>): origin, size, root in base64, a line each.
package struct Checkpoint: Equatable, Sendable {
  /// Which log it is of: a store's is `tapedeck/<when it was made>`.
  package var origin: String
  package var size: Int
  package var root: MerkleHash
  /// Lines that other programs may add.
  package var extensions: [String]

  package init(origin: String, size: Int, root: MerkleHash, extensions: [String] = []) {
    self.origin = origin
    self.size = size
    self.root = root
    self.extensions = extensions
  }

  package init(origin: String, tree: CompactTree) { self.init(origin: origin, size: tree.size, root: tree.root) }

  /// Reads the text of a note. Total: nil for what is no checkpoint.
  package init?(text: String) {
    // By bytes: to Swift, CR LF is one character.
    let lines = Array(text.utf8).split(separator: 0x0A, omittingEmptySubsequences: false)
    guard lines.count >= 4, lines[lines.count - 1].isEmpty, lines.dropLast().allSatisfy({ !$0.isEmpty }),
      let size = Self.size(lines[1]), let root = Base64.exactBytes(lines[2]).flatMap({ MerkleHash($0) })
    else { return nil }
    self.init(
      origin: String(decoding: lines[0], as: UTF8.self), size: size, root: root,
      extensions: lines[3...].dropLast().map { String(decoding: $0, as: UTF8.self) })
  }

  /// A decimal number without leading zeroes.
  private static func size(_ digits: ArraySlice<UInt8>) -> Int? {
    guard let first = digits.first, digits.count <= 18, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      first != 0x30 || digits.count == 1
    else { return nil }
    return Int(String(decoding: digits, as: UTF8.self))
  }

  package var text: String {
    ([origin, String(size), Base64.string(root.bytes)] + extensions).map { $0 + "\n" }.joined()
  }
}

/// A checkpoint with whatever signatures it has.
package struct CheckpointNote: Equatable, Sendable {
  package let note: SignedNote
  package let checkpoint: Checkpoint

  package init(_ checkpoint: Checkpoint) {
    self.checkpoint = checkpoint
    note = SignedNote(text: checkpoint.text)
  }

  /// nil for what is no checkpoint.
  package init?(_ bytes: [UInt8]) {
    guard let note = SignedNote(bytes), let checkpoint = Checkpoint(text: note.text) else { return nil }
    self.note = note
    self.checkpoint = checkpoint
  }

  private init(note: SignedNote, checkpoint: Checkpoint) {
    self.note = note
    self.checkpoint = checkpoint
  }

  package func signed(with key: NoteSigningKey) throws -> CheckpointNote {
    var note = note
    try note.sign(with: key)
    return CheckpointNote(note: note, checkpoint: checkpoint)
  }
}
