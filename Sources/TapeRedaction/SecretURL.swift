/// Removes credentials from text that is a URL, a request target or has URLs in it: userinfo, segments of paths, and
/// parameters of paths, queries and fragments.
struct SecretURL {
  /// A part of the path, or a parameter, that was replaced.
  struct Finding {
    var isInPath: Bool
    /// The parameter's, decoded and in lower case; empty for what has no name.
    var name: String
    /// Decoded.
    var value: String

    /// What `CallOpen.redactions` says of it.
    var note: String { isInPath ? "path" : name.isEmpty ? "query" : "query:" + name }
  }

  private(set) var found: [Finding] = []
  private(set) var hadUserinfo = false
  /// A request target has no text behind it: everything up to the next separator is the value.
  private let isTarget: Bool
  /// In front of a target's query: there a slash ends a value as well, and what follows says which API was asked.
  private var isInPath: Bool
  /// How often what is looked at was decoded already.
  private let depth: Int

  private static let replacement = Array(Secrets.replacement.utf8)

  init(isTarget: Bool, depth: Int = 0) {
    self.isTarget = isTarget
    isInPath = isTarget
    self.depth = depth
  }

  /// The text without credentials; nil if there are none in it.
  mutating func cleaned(_ text: String) -> String? {
    cleaned(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  mutating func cleaned(_ bytes: [UInt8]) -> [UInt8]? {
    let anonymous = withoutUserinfo(bytes)
    hadUserinfo = anonymous != nil
    return withoutCredentials(anonymous ?? bytes) ?? anonymous
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

  // MARK: Segments and parameters

  /// Replaces segments behind `/`, and parameters behind `?`, `#`, `&` and `;`.
  private mutating func withoutCredentials(_ bytes: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    var copied = 0
    var position = 0
    while position < bytes.count {
      let mark = bytes[position]
      let start = Self.isSeparator(mark) || mark == 0x2F ? position + 1 : position
      // In a text that is no target, there is a path behind a slash only.
      guard start > position || isTarget && position == 0 else {
        position += 1
        continue
      }
      if mark == 0x3F || mark == 0x23 { isInPath = false }
      let secret = start > position && mark != 0x2F ? parameter(at: start, in: bytes) : segment(at: start, in: bytes)
      if let range = secret.range {
        result += bytes[copied..<range.lowerBound] + Self.replacement
        copied = range.upperBound
        let value = String(decoding: PercentEncoding.decoded(bytes[range], isForm: true), as: UTF8.self)
        found.append(Finding(isInPath: isInPath, name: secret.name, value: value))
      }
      position = secret.end
    }
    return copied == 0 ? nil : result + bytes[copied...]
  }

  /// What is secret of what stands between two separators.
  private struct Piece {
    /// Where the next one begins.
    var end: Int
    /// nil for nothing.
    var range: Range<Int>?
    var name = ""
  }

  private func segment(at start: Int, in bytes: [UInt8]) -> Piece {
    var end = start
    while end < bytes.count, bytes[end] != 0x2F, !ends(bytes[end]) { end += 1 }
    // Most are short: nothing more is done about them.
    guard end - start >= SecretForms.shortestInPath, isSecret(bytes[start..<end], in: .path) else {
      return Piece(end: end)
    }
    return Piece(end: end, range: start..<end)
  }

  private func parameter(at start: Int, in bytes: [UInt8]) -> Piece {
    var equals = start
    while equals < bytes.count, bytes[equals] != 0x3D, !ends(bytes[equals]) { equals += 1 }
    let before = bytes[start..<equals]
    guard equals < bytes.count, bytes[equals] == 0x3D else {
      // Only a value, or both in one with the `=` encoded.
      let isNameless = isSecret(before, in: .text) || hasParameter(before)
      return Piece(end: equals, range: isNameless ? start..<equals : nil)
    }
    let value = equals + 1
    // The name can be what must not be told, and then the note about it must not either.
    if isSecret(before, in: .path) {
      let end = endOfSecret(at: value, in: bytes)
      return Piece(end: end, range: start..<end)
    }
    var end = value
    while end < bytes.count, !ends(bytes[end]) { end += 1 }
    let name = PercentEncoding.fullyDecoded(before)
    guard SecretRules.isSecret(parameter: name) || isSecret(bytes[value..<end], in: .text) else {
      return Piece(end: end)
    }
    end = endOfSecret(at: value, in: bytes)
    return Piece(end: end, range: value..<end, name: AsciiName(name).text)
  }

  /// Whether a piece is a credential by itself, or has one in it behind percent-encoding or as JSON.
  func isSecret(_ piece: ArraySlice<UInt8>, in place: SecretForms.Place) -> Bool {
    // A plus is a space in a form, and itself in a path; keys have neither, and in front of them both are ends of words.
    var form = PercentEncoding.decoded(piece, isForm: place != .path)
    var remaining = PercentEncoding.mostLayers - depth
    var isDecoded = form.count != piece.count
    while true {
      if SecretForms.isSecret(form, in: place) { return true }
      guard remaining > 0 else { return false }
      remaining -= 1
      if SecretJSON.hasSecret(form, depth: depth + 1) { return true }
      guard isDecoded else { return false }
      var inner = SecretURL(isTarget: false, depth: depth + 1)
      if inner.cleaned(form) != nil { return true }
      let next = PercentEncoding.decoded(form[...], isForm: place != .path)
      isDecoded = next.count != form.count
      form = next
    }
  }

  private func hasParameter(_ piece: ArraySlice<UInt8>) -> Bool {
    guard depth < PercentEncoding.mostLayers, piece.contains(0x25) else { return false }
    var inner = SecretURL(isTarget: true, depth: depth + 1)
    return inner.cleaned([0x3F] + PercentEncoding.decoded(piece, isForm: true)) != nil
  }

  /// A `?` may be part of a query's value, and a `;` if no name follows it: rather too much than half a secret left.
  private func endOfSecret(at start: Int, in bytes: [UInt8]) -> Int {
    var end = start
    while true {
      while end < bytes.count, bytes[end] == 0x3F && !isInPath || !ends(bytes[end]) { end += 1 }
      guard end < bytes.count, bytes[end] == 0x3B else { return end }
      var next = end + 1
      while next < bytes.count, bytes[next] != 0x3D, !ends(bytes[next]) { next += 1 }
      if next < bytes.count, bytes[next] == 0x3D { return end }
      end = next
    }
  }

  private func ends(_ byte: UInt8) -> Bool {
    if Self.isSeparator(byte) || isInPath && byte == 0x2F { return true }
    return !isTarget && (byte == 0x20 || byte == 0x09 || byte == 0x3E || byte == 0x22 || byte == 0x3C)
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == 0x3F || byte == 0x23 || byte == 0x26 || byte == 0x3B
  }
}
