/// Text that is put together from JSON strings, so that the two halves of a surrogate pair
/// may come in different strings.
///
/// Bytes are UTF-8, but a lone surrogate stands as its three bytes (WTF-8) until its other half comes or `string`
/// is asked for. Equal texts are so equal bytes, however they were cut and escaped.
/// Invalid UTF-8 is U+FFFD from the start: it never joins over pieces.
package struct WTF8Text: Sendable, Equatable {
  package private(set) var bytes: [UInt8] = []
  private var hasSurrogates = false

  package init() {}

  package var isEmpty: Bool { bytes.isEmpty }

  /// Appends the text of a JSON string.
  package mutating func append(_ slice: JSONSlice, of cursor: JSONCursor) {
    let raw = cursor.raw(slice)
    if raw.isEmpty { return }
    guard slice.hasEscapes else {
      append(run: raw, isASCII: !slice.hasNonASCII)
      return
    }
    var position = 0
    while position < raw.count {
      let start = position
      while position < raw.count, raw[position] != 0x5C { position += 1 }
      append(run: UnsafeRawBufferPointer(rebasing: raw[start..<position]), isASCII: !slice.hasNonASCII)
      if position < raw.count { position = appendEscape(raw, at: position) }
    }
  }

  package var count: Int { bytes.count }

  package mutating func append(_ other: WTF8Text) {
    var tail = other.bytes[...]
    if let low = other.surrogate(at: 0), low >= 0xDC00 {
      append(surrogate: low)
      tail = tail.dropFirst(3)
    }
    bytes.append(contentsOf: tail)
    hasSurrogates = hasSurrogates || other.hasSurrogates
  }

  package mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// The bytes from `start` on, taken out.
  package mutating func split(at start: Int) -> WTF8Text {
    var tail = WTF8Text()
    tail.bytes = Array(bytes[start...])
    tail.hasSurrogates = hasSurrogates
    bytes.removeSubrange(start...)
    return tail
  }

  /// Whether the text of one range starts with that of another, which may be longer: then false. A high half at
  /// the end of the prefix is one too where the text has both halves.
  package func has(_ range: Range<Int>, prefix: Range<Int>) -> Bool {
    guard range.count >= prefix.count else { return false }
    let end = range.lowerBound + prefix.count
    if bytes[range.lowerBound..<end].elementsEqual(bytes[prefix]) { return true }
    guard prefix.count >= 3, range.count > prefix.count, let high = surrogate(at: prefix.upperBound - 3),
      high == highHalf(at: end - 3)
    else { return false }
    return bytes[range.lowerBound..<end - 3].elementsEqual(bytes[prefix].dropLast(3))
  }

  package var string: String { string(from: 0) }

  /// The text from a place on, each lone half as one U+FFFD.
  ///
  /// - Parameter limit: how many bytes of it are read at most; a character is not cut.
  package func string(from start: Int, limit: Int = .max) -> String {
    var end = start + min(limit, bytes.count - start)
    while end > start, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
    guard hasSurrogates else { return String(decoding: bytes[start..<end], as: UTF8.self) }
    var out: [UInt8] = []
    out.reserveCapacity(end - start)
    var position = start
    while position < end {
      if surrogate(at: position) == nil {
        out.append(bytes[position])
        position += 1
      } else {
        out.append(contentsOf: [0xEF, 0xBF, 0xBD])
        position += 3
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The surrogate whose three bytes stand here.
  private func surrogate(at position: Int) -> UInt32? {
    guard position >= 0, position + 2 < bytes.count, bytes[position] == 0xED, bytes[position + 1] >= 0xA0 else {
      return nil
    }
    return 0xD000 | UInt32(bytes[position + 1] & 0x3F) << 6 | UInt32(bytes[position + 2] & 0x3F)
  }

  /// The high half of the character of four bytes that starts here.
  private func highHalf(at position: Int) -> UInt32? {
    guard position + 3 < bytes.count, bytes[position] >= 0xF0 else { return nil }
    let scalar =
      UInt32(bytes[position] & 0x07) << 18 | UInt32(bytes[position + 1] & 0x3F) << 12
      | UInt32(bytes[position + 2] & 0x3F) << 6
    return 0xD800 + (scalar - 0x10000) >> 10
  }

  /// Appends half of a pair; the second half makes one character with the first, wherever that came from.
  private mutating func append(surrogate: UInt32) {
    hasSurrogates = true
    if surrogate >= 0xDC00, let high = self.surrogate(at: bytes.count - 3), high < 0xDC00 {
      bytes.removeLast(3)
      WTF8Text.encode(0x10000 + (high & 0x3FF) << 10 + surrogate & 0x3FF, into: &bytes)
    } else {
      WTF8Text.encode(surrogate, into: &bytes)
    }
  }

  private mutating func append(run: UnsafeRawBufferPointer, isASCII: Bool) {
    if isASCII || WTF8Text.isValidUTF8(run) {
      bytes.append(contentsOf: run)
    } else {
      bytes.append(contentsOf: String(decoding: run, as: UTF8.self).utf8)
    }
  }

  /// Appends what the checked escape at `position` stands for and returns the place behind it.
  private mutating func appendEscape(_ raw: UnsafeRawBufferPointer, at position: Int) -> Int {
    switch raw[position + 1] {
    case 0x62: bytes.append(0x08)
    case 0x66: bytes.append(0x0C)
    case 0x6E: bytes.append(0x0A)
    case 0x72: bytes.append(0x0D)
    case 0x74: bytes.append(0x09)
    case 0x75:
      var scalar = WTF8Text.hex4(raw, at: position + 2)
      if scalar & 0xFC00 == 0xD800, position + 12 <= raw.count, raw[position + 6] == 0x5C, raw[position + 7] == 0x75 {
        let low = WTF8Text.hex4(raw, at: position + 8)
        if low & 0xFC00 == 0xDC00 {
          scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
          WTF8Text.encode(scalar, into: &bytes)
          return position + 12
        }
      }
      if scalar & 0xF800 == 0xD800 {
        append(surrogate: scalar)
      } else {
        WTF8Text.encode(scalar, into: &bytes)
      }
      return position + 6
    default: bytes.append(raw[position + 1])
    }
    return position + 2
  }

  private static func hex4(_ raw: UnsafeRawBufferPointer, at position: Int) -> UInt32 {
    var value: UInt32 = 0
    for index in position..<position + 4 { value = value << 4 | (JSONCursor.hexValue(raw[index]) ?? 0) }
    return value
  }

  /// Appends a code point as UTF-8; a surrogate as its three bytes.
  private static func encode(_ scalar: UInt32, into out: inout [UInt8]) {
    switch scalar {
    case ..<0x80: out.append(UInt8(scalar))
    case ..<0x800:
      out.append(UInt8(0xC0 | scalar >> 6))
      out.append(UInt8(0x80 | scalar & 0x3F))
    case ..<0x10000:
      out.append(UInt8(0xE0 | scalar >> 12))
      out.append(UInt8(0x80 | scalar >> 6 & 0x3F))
      out.append(UInt8(0x80 | scalar & 0x3F))
    default:
      out.append(UInt8(0xF0 | scalar >> 18))
      out.append(UInt8(0x80 | scalar >> 12 & 0x3F))
      out.append(UInt8(0x80 | scalar >> 6 & 0x3F))
      out.append(UInt8(0x80 | scalar & 0x3F))
    }
  }

  /// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
  static func isValidUTF8(_ run: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    while position < run.count {
      let lead = run[position]
      position += 1
      if lead < 0x80 { continue }
      let (more, low, high): (Int, UInt8, UInt8)
      switch lead {
      case 0xC2...0xDF: (more, low, high) = (1, 0x80, 0xBF)
      case 0xE0: (more, low, high) = (2, 0xA0, 0xBF)
      case 0xED: (more, low, high) = (2, 0x80, 0x9F)
      case 0xE1...0xEF: (more, low, high) = (2, 0x80, 0xBF)
      case 0xF0: (more, low, high) = (3, 0x90, 0xBF)
      case 0xF4: (more, low, high) = (3, 0x80, 0x8F)
      case 0xF1...0xF3: (more, low, high) = (3, 0x80, 0xBF)
      default: return false
      }
      guard position + more <= run.count, run[position] >= low, run[position] <= high else { return false }
      for index in position + 1..<position + more where run[index] & 0xC0 != 0x80 { return false }
      position += more
    }
    return true
  }
}
