internal import TapeJSON

/// Removes credentials from a text that is JSON: values of members that are secret by their names, strings (and names)
/// that are by their form. All other bytes stay.
enum SecretJSON {
  enum Verdict: Equatable {
    case harmless
    /// It cannot be read, and speaks of credentials.
    case secret
    case cleaned(String)
    /// Rather not JSON.
    case unreadable
  }

  /// Whether a text says that it is JSON with something in it.
  static func looksLikeOne(_ bytes: [UInt8]) -> Bool {
    let first = bytes.first { $0 != 0x20 && $0 != 0x09 }
    return first == 0x7B || first == 0x5B
  }

  /// - Parameter depth: how many texts this one is in: JSON has URLs in it that have JSON in them.
  static func verdict(_ bytes: [UInt8], depth: Int) -> Verdict {
    guard depth < PercentEncoding.mostLayers, let edits = edits(bytes, depth: depth) else {
      return isSuspicious(bytes) ? .secret : .unreadable
    }
    return edits.isEmpty ? .harmless : .cleaned(String(decoding: bytes.applying(edits), as: UTF8.self))
  }

  static func hasSecret(_ bytes: [UInt8], depth: Int) -> Bool {
    guard looksLikeOne(bytes) else { return false }
    return switch verdict(bytes, depth: depth) {
    case .secret, .cleaned: true
    case .harmless, .unreadable: false
    }
  }

  /// nil if it cannot be read.
  private static func edits(_ bytes: [UInt8], depth: Int) -> [Edit]? {
    bytes.withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      guard let root = try? cursor.document() else { return nil }
      var finder = SecretFinder(bytes: bytes, depth: depth)
      finder.look(at: root, .nothing, level: 0)
      return finder.edits
    }
  }

  /// Whether text that was not read has a key in it, or what may be the name of one in front of a colon.
  static func isSuspicious(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    SecretForms.isSecret(bytes)
      || bytes.indices.contains { index in
        guard bytes[index] == 0x3A else { return false }
        let before = bytes[..<index].reversed().drop { $0 == 0x20 || $0 == 0x22 || $0 == 0x27 || $0 == 0x5C }
        return SecretRules.secrecy(member: before.prefix(while: SecretForms.isWord).reversed()) != .nothing
      }
  }
}

/// Finds what is secret in a JSON text, in the order of the text.
private struct SecretFinder {
  /// Each level is read once more by those around it, so that deeper ones are looked at as text. No header has them.
  private static let mostLevels = 16

  let bytes: UnsafeRawBufferPointer
  let depth: Int
  private(set) var edits: [Edit] = []

  init(bytes: UnsafeRawBufferPointer, depth: Int) {
    self.bytes = bytes
    self.depth = depth
  }

  /// - Parameter secrecy: what the names that lead to the value say of it.
  mutating func look(at value: JSONSlice, _ secrecy: SecretRules.Secrecy, level: Int) {
    switch value.kind {
    case .object where level < Self.mostLevels: members(of: value, secrecy, level: level)
    case .array where level < Self.mostLevels: elements(of: value, secrecy, level: level)
    case .object, .array:
      if secrecy != .nothing || SecretJSON.isSuspicious(bytes[value.range]) { replace(value) }
    case .string: string(value, secrecy)
    case .number: if secrecy == .all { replace(value) }
    case .true, .false, .null: break
    }
  }

  private mutating func members(of object: JSONSlice, _ secrecy: SecretRules.Secrecy, level: Int) {
    var cursor = JSONCursor(bytes, at: object)
    var found: [(key: JSONSlice, value: JSONSlice)] = []
    // All of the text has been checked, so nothing is thrown here.
    try? cursor.members { key, value in found.append((key, value)) }
    for (key, value) in found {
      let name = cursor.string(key).utf8
      if SecretForms.isSecret(name) { replace(key) }
      look(at: value, max(secrecy, SecretRules.secrecy(member: name)), level: level + 1)
    }
  }

  private mutating func elements(of array: JSONSlice, _ secrecy: SecretRules.Secrecy, level: Int) {
    var cursor = JSONCursor(bytes, at: array)
    var found: [JSONSlice] = []
    try? cursor.elements { _, value in found.append(value) }
    for value in found { look(at: value, secrecy, level: level + 1) }
  }

  private mutating func string(_ value: JSONSlice, _ secrecy: SecretRules.Secrecy) {
    if secrecy != .nothing { return replace(value) }
    switch SecretText.verdict(JSONCursor(bytes).string(value), depth: depth + 1) {
    case .harmless: break
    case .secret: replace(value)
    case .cleaned(let text): replace(value, with: text)
    }
  }

  private mutating func replace(_ value: JSONSlice, with text: String = Secrets.replacement) {
    edits.append(Edit(value, text: text))
  }
}
