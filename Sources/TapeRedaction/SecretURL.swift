/// Removes credentials from text that is a URL, a request target or has URLs in it.
struct SecretURL {
  /// Name, lower case, and old value of each parameter that was replaced.
  private(set) var found: [(name: String, value: String)] = []
  /// A request target has no text behind it: everything up to the next separator is the value.
  private let isTarget: Bool
  /// Values can be URLs in percent-encoding, and so on; a bound keeps the work linear.
  private let depth: Int

  private static let replacement = Array(Secrets.replacement.utf8)

  init(isTarget: Bool, depth: Int = 0) {
    self.isTarget = isTarget
    self.depth = depth
  }

  /// The text without credentials; nil if there are none in it.
  mutating func cleaned(_ text: String) -> String? {
    guard text.utf8.contains(where: { Self.isSeparator($0) || $0 == 0x40 }) else { return nil }
    return cleaned(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  private mutating func cleaned(_ bytes: [UInt8]) -> [UInt8]? {
    let anonymous = withoutUserinfo(bytes)
    let harmless = withoutParameters(anonymous ?? bytes)
    return harmless ?? anonymous
  }

  // MARK: Userinfo

  /// Replaces what stands between `://` and `@`.
  private func withoutUserinfo(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.contains(0x40) else { return nil }
    var result: [UInt8] = []
    var copied = 0
    var position = 0
    while position + 1 < bytes.count {
      let isRelative = position == 0 && !isTarget
      guard bytes[position] == 0x2F, bytes[position + 1] == 0x2F,
        isRelative || (position > 0 && bytes[position - 1] == 0x3A)
      else {
        position += 1
        continue
      }
      let start = position + 2
      var end = start
      while end < bytes.count, !Self.endsAuthority(bytes[end]) { end += 1 }
      if let at = bytes[start..<end].lastIndex(of: 0x40) {
        result += bytes[copied..<start] + Self.replacement
        copied = at
      }
      position = end
    }
    return copied == 0 ? nil : result + bytes[copied...]
  }

  private static func endsAuthority(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x2F, 0x3F, 0x23, 0x5C, 0x20, 0x09, 0x3C, 0x3E, 0x22: true
    default: false
    }
  }

  // MARK: Parameters

  /// Replaces the values of secret parameters behind `?`, `#`, `&` and `;`.
  private mutating func withoutParameters(_ bytes: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    var copied = 0
    var position = 0
    while position < bytes.count {
      guard Self.isSeparator(bytes[position]) else {
        position += 1
        continue
      }
      let start = position + 1
      var equals = start
      while equals < bytes.count, bytes[equals] != 0x3D, !ends(bytes[equals]) { equals += 1 }
      position = max(start, equals)
      guard equals < bytes.count, bytes[equals] == 0x3D else { continue }
      position = equals + 1
      let name = Self.percentDecoded(bytes[start..<equals])
      let isSecret = SecretRules.isSecret(parameter: name) || isSecret(valueAt: position, in: bytes)
      guard isSecret else { continue }
      let end = endOfSecret(at: position, in: bytes)
      found.append((AsciiName(name).text, String(decoding: bytes[position..<end], as: UTF8.self)))
      result += bytes[copied..<position] + Self.replacement
      copied = end
      position = end
    }
    return copied == 0 ? nil : result + bytes[copied...]
  }

  /// Whether the value is a credential by itself, or has one in percent-encoding.
  private func isSecret(valueAt start: Int, in bytes: [UInt8]) -> Bool {
    var end = start
    while end < bytes.count, !ends(bytes[end]) { end += 1 }
    let decoded = Self.percentDecoded(bytes[start..<end])
    if SecretRules.isSecret(value: decoded) { return true }
    guard depth < 3, decoded.count != end - start else { return false }
    var inner = SecretURL(isTarget: false, depth: depth + 1)
    return inner.cleaned(decoded) != nil
  }

  /// A `?` may be part of a value, and a `;` if no name follows it: rather too much than half a secret left.
  private func endOfSecret(at start: Int, in bytes: [UInt8]) -> Int {
    var end = start
    while true {
      while end < bytes.count, bytes[end] == 0x3F || !ends(bytes[end]) { end += 1 }
      guard end < bytes.count, bytes[end] == 0x3B else { return end }
      var next = end + 1
      while next < bytes.count, bytes[next] != 0x3D, !ends(bytes[next]) { next += 1 }
      if next < bytes.count, bytes[next] == 0x3D { return end }
      end = next
    }
  }

  private func ends(_ byte: UInt8) -> Bool {
    if Self.isSeparator(byte) { return true }
    return !isTarget && (byte == 0x20 || byte == 0x09 || byte == 0x3E || byte == 0x22 || byte == 0x3C)
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == 0x3F || byte == 0x23 || byte == 0x26 || byte == 0x3B
  }

  private static func percentDecoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
    guard text.contains(0x25) else { return Array(text) }
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      if byte == 0x25, rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }
}
