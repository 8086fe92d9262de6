/// A text with signatures under it: <https://c2sp.org/signed-note>. Without signatures it is the text alone.
package struct SignedNote: Equatable, Sendable {
  package struct Signature: Equatable, Sendable {
    package var name: String
    /// The first four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key).
    package var keyID: [UInt8]
    package var bytes: [UInt8]
  }

  /// Ends with a line feed.
  package var text: String
  package var signatures: [Signature]

  package init(text: String, signatures: [Signature] = []) {
    self.text = text
    self.signatures = signatures
  }

  /// More than any note with all of its cosignatures has.
  private static let mostBytes = 1 << 20
  private static let dash = "\u{2014} "

  /// Reads a note. Total: nil for what is none.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count <= Self.mostBytes, bytes.last == 0x0A, bytes.allSatisfy({ $0 >= 0x20 || $0 == 0x0A }),
      String(validating: bytes, as: UTF8.self) != nil
    else { return nil }
    // The last empty line parts text and signatures.
    guard let blank = bytes.indices.last(where: { $0 > 0 && bytes[$0] == 0x0A && bytes[$0 - 1] == 0x0A }) else {
      self.init(text: String(decoding: bytes, as: UTF8.self))
      return
    }
    var signatures: [Signature] = []
    for line in bytes[(blank + 1)...].dropLast().split(separator: 0x0A, omittingEmptySubsequences: false) {
      guard let signature = Self.signature(line) else { return nil }
      signatures.append(signature)
    }
    self.init(text: String(decoding: bytes[..<blank], as: UTF8.self), signatures: signatures)
  }

  private static func signature(_ line: ArraySlice<UInt8>) -> Signature? {
    guard line.starts(with: dash.utf8) else { return nil }
    let words = line.dropFirst(dash.utf8.count).split(
      separator: 0x20, maxSplits: 1, omittingEmptySubsequences: false)
    guard words.count == 2, let data = Base64.exactBytes(words[1]), data.count > 4 else { return nil }
    let name = String(decoding: words[0], as: UTF8.self)
    guard NoteKeyName.isValid(name) else { return nil }
    return Signature(name: name, keyID: Array(data[..<4]), bytes: Array(data[4...]))
  }

  /// The whole note.
  package var bytes: [UInt8] {
    var out = Array(text.utf8)
    guard !signatures.isEmpty else { return out }
    out.append(0x0A)
    for signature in signatures {
      out += Array("\(Self.dash)\(signature.name) \(Base64.string(signature.keyID + signature.bytes))\n".utf8)
    }
    return out
  }

  /// What a key says of a note.
  package enum Verdict: String, Sendable {
    case valid
    /// The note has no signature by this key.
    case missing
    /// It has one, and the text is not what was signed, or the signature is not the key's.
    case wrong
  }

  package func check(_ key: NoteVerifierKey) -> Verdict {
    // The same name or the same id alone is another key's.
    let own = signatures.filter { $0.name == key.name && $0.keyID == key.id }
    guard !own.isEmpty else { return .missing }
    return own.allSatisfy { key.isSignature($0.bytes, of: Array(text.utf8)) } ? .valid : .wrong
  }

  package mutating func sign(with key: NoteSigningKey) throws {
    let signature = Signature(
      name: key.verifier.name, keyID: key.verifier.id, bytes: try key.signature(of: Array(text.utf8)))
    signatures.append(signature)
  }
}
