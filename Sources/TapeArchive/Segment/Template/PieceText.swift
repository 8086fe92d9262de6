internal import TapeJSON

/// Compares what values mean: `\u00e9` and `é` are the same text. All are insides of JSON strings with escapes that
/// JSON knows.
enum PieceText {
  static func starts(_ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, with prefix: Range<Int>) -> Bool {
    if bytes[piece].starts(with: bytes[prefix]) { return true }
    guard hasEscapes(bytes[piece]) || hasEscapes(bytes[prefix]) else { return false }
    var start = text(bytes[prefix])[...]
    // Half a character may be whole in the longer text.
    if start.count >= 3, start[start.endIndex - 3] == 0xED, start[start.endIndex - 2] >= 0xA0 { start.removeLast(3) }
    return text(bytes[piece]).starts(with: start)
  }

  static func same(_ bytes: UnsafeBufferPointer<UInt8>, _ a: Range<Int>, _ b: Range<Int>) -> Bool {
    if bytes[a].elementsEqual(bytes[b]) { return true }
    // An escape has at most six bytes for one.
    guard a.count <= 6 * b.count, b.count <= 6 * a.count, hasEscapes(bytes[a]) || hasEscapes(bytes[b]) else {
      return false
    }
    return text(bytes[a]) == text(bytes[b])
  }

  private static func hasEscapes(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool { bytes.contains(0x5C) }

  /// In UTF-8, lone halves of characters as WTF-8 has them.
  private static func text(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8] {
    var quoted: [UInt8] = [0x22]
    quoted.append(contentsOf: bytes)
    quoted.append(0x22)
    return quoted.withUnsafeBytes { quoted in
      var cursor = JSONCursor(quoted)
      var text = WTF8Text()
      if let slice = try? cursor.document() { text.append(slice, of: cursor) }
      return text.bytes
    }
  }
}
