/// `%41` for `A` (RFC 3986 §2.1), which hides a name or a key from who compares bytes.
enum PercentEncoding {
  /// A URL can stand in a URL's parameter, and so on. What is encoded more often than this is no longer looked into:
  /// a bound keeps the work linear.
  static let mostLayers = 3

  /// The bytes without one layer of encoding; a `%` without two digits stays.
  ///
  /// - Parameter isForm: a plus is a space, as in queries (WHATWG, URL §5).
  static func decoded(_ text: ArraySlice<UInt8>, isForm: Bool) -> [UInt8] {
    guard text.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return Array(text) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var position = text.startIndex
    while position < text.endIndex {
      let byte = text[position]
      if byte == 0x25, position + 2 < text.endIndex, let high = digit(text[position + 1]),
        let low = digit(text[position + 2])
      {
        bytes.append(high << 4 | low)
        position += 3
      } else {
        bytes.append(isForm && byte == 0x2B ? 0x20 : byte)
        position += 1
      }
    }
    return bytes
  }

  /// A name as whoever reads it last may read it.
  static func fullyDecoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var form = Array(text)
    for _ in 0..<mostLayers where form.contains(where: { $0 == 0x25 || $0 == 0x2B }) {
      form = decoded(form[...], isForm: true)
    }
    return form
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x61 + 10
    default: nil
    }
  }
}
