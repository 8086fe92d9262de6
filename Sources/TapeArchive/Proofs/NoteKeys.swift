internal import Crypto
internal import TapeTypes

enum NoteKeyName {
  /// Not empty, no Unicode white space, no plus.
  static func isValid(_ name: String) -> Bool {
    !name.isEmpty && name.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "+" && $0.value >= 0x20 }
  }
}

/// Checks signatures: `<name>+<key id>+<base64(0x01 ‖ public key)>` (<https://c2sp.org/signed-note>, Ed25519).
package struct NoteVerifierKey: Equatable, Sendable, CustomStringConvertible {
  static let ed25519: UInt8 = 0x01
  package let name: String
  /// Four bytes.
  package let id: [UInt8]
  private let publicKey: [UInt8]

  init?(name: String, publicKey: [UInt8]) {
    guard NoteKeyName.isValid(name), publicKey.count == 32 else { return nil }
    self.name = name
    self.publicKey = publicKey
    id = Array(SHA256.hash(data: Array(name.utf8) + [0x0A, Self.ed25519] + publicKey).prefix(4))
  }

  /// nil for what is no Ed25519 verifier key.
  package init?(_ text: String) {
    let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let data = Base64.exactBytes(Array(parts[2].utf8)[...]), data.count == 33,
      data[0] == Self.ed25519
    else { return nil }
    self.init(name: String(parts[0]), publicKey: Array(data[1...]))
    guard Hex.string(id) == parts[1] else { return nil }
  }

  package var description: String {
    "\(name)+\(Hex.string(id))+\(Base64.string([Self.ed25519] + publicKey))"
  }

  func isSignature(_ signature: [UInt8], of text: [UInt8]) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
    return key.isValidSignature(signature, for: text)
  }
}

/// Makes signatures: `PRIVATE+KEY+<name>+<key id>+<base64(0x01 ‖ seed)>`, as Go's sumdb/note writes it.
package struct NoteSigningKey: Sendable {
  private static let prefix = "PRIVATE+KEY+"
  package let verifier: NoteVerifierKey
  private let key: Curve25519.Signing.PrivateKey

  private init?(name: String, key: Curve25519.Signing.PrivateKey) {
    guard let verifier = NoteVerifierKey(name: name, publicKey: Array(key.publicKey.rawRepresentation)) else {
      return nil
    }
    self.verifier = verifier
    self.key = key
  }

  /// A fresh key; nil for a name that no key can have.
  package init?(newWithName name: String) { self.init(name: name, key: Curve25519.Signing.PrivateKey()) }

  /// nil for what is no Ed25519 signing key.
  package init?(_ text: String) {
    guard text.hasPrefix(Self.prefix) else { return nil }
    let parts = text.dropFirst(Self.prefix.count).split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let data = Base64.exactBytes(Array(parts[2].utf8)[...]), data.count == 33,
      data[0] == NoteVerifierKey.ed25519,
      let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data[1...])
    else { return nil }
    self.init(name: String(parts[0]), key: key)
    guard Hex.string(verifier.id) == parts[1] else { return nil }
  }

  /// The secret text for a key file, without line feed.
  package var secretText: String {
    let seed = Base64.string([NoteVerifierKey.ed25519] + Array(key.rawRepresentation))
    return "\(Self.prefix)\(verifier.name)+\(Hex.string(verifier.id))+\(seed)"
  }

  func signature(of text: [UInt8]) throws -> [UInt8] {
    do {
      return Array(try key.signature(for: text))
    } catch {
      throw TapeError(.failed, "cannot sign with the key \(verifier.name): \(error)")
    }
  }
}
