#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Any bytes as text without control characters, and back: what head and text of a block consist of.
///
/// Valid UTF-8 stands for itself, but for control characters (U+0000 to U+001F, U+007F to U+009F) and `␛` (U+241B).
/// A byte of those, and any byte that is not UTF-8, is `␛` and two upper-case hex digits; a value with many of them is
/// `␛(`, base64, `)`.
enum TapeText {
  /// How `\uXXXX` is written in a value whose bytes are all ASCII: as the character it means, where that leads back.
  enum Escapes: Int, CaseIterable {
    /// Characters stand for themselves.
    case none
    /// A character beyond ASCII stands for `\uXXXX` with lower-case hex digits, or for a pair of them.
    case lower
    /// The same in upper case.
    case upper

    /// Behind the label of the value.
    var suffix: [UInt8] {
      switch self {
      case .none: []
      case .lower: [0x5C, 0x75]
      case .upper: [0x5C, 0x55]
      }
    }
  }

  /// `␛`, U+241B.
  private static let mark: [UInt8] = [0xE2, 0x90, 0x9B]

  // MARK: Writing

  /// What shows most of the value's escapes as characters.
  static func escapes(in bytes: UnsafeBufferPointer<UInt8>) -> Escapes {
    var (lower, upper) = (0, 0)
    var position = 0
    while true {
      position = bytes.afterPlain(from: position, stoppingAt: 0x5C)
      guard position < bytes.count else { break }
      let byte = bytes[position]
      if byte >= 0x80 { return .none }
      guard byte == 0x5C, position + 1 < bytes.count else {
        position += 1
        continue
      }
      if let escape = unicodeEscape(bytes, position, .lower), escape.scalar >= 0xA0 { lower += 1 }
      if let escape = unicodeEscape(bytes, position, .upper), escape.scalar >= 0xA0 { upper += 1 }
      position += 2
    }
    if lower == 0, upper == 0 { return .none }
    return upper > lower ? .upper : .lower
  }

  /// - Parameter isLarge: the value is of a call so large that it must not become much longer.
  static func append(
    _ bytes: UnsafeBufferPointer<UInt8>, _ escapes: Escapes, isLarge: Bool = false, to out: inout [UInt8]
  ) {
    if isBinary(bytes, isLarge: isLarge) {
      out += mark
      out.append(0x28)
      Base64.append(Array(bytes)[...], to: &out)
      out.append(0x29)
      return
    }
    var plainFrom = 0
    var position = 0
    while true {
      position = bytes.afterPlain(from: position, stoppingAt: escapes == .none ? 0x7F : 0x5C)
      guard position < bytes.count else { break }
      let byte = bytes[position]
      let length = byte < 0x80 ? 0 : UTF8Scalars.length(bytes, position)
      if length > 0, !isMarkOrControl(bytes, position, length) {
        position += length
        continue
      }
      out.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[plainFrom..<position]))
      if byte == 0x5C {
        position += appendEscape(bytes, position, escapes, to: &out)
      } else {
        for _ in 0..<max(length, 1) {
          out += mark
          out.append(hex(bytes[position] >> 4))
          out.append(hex(bytes[position] & 15))
          position += 1
        }
      }
      plainFrom = position
    }
    out.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[plainFrom...]))
  }

  /// A backslash and what belongs to it; returns how many bytes that was.
  private static func appendEscape(
    _ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ escapes: Escapes, to out: inout [UInt8]
  ) -> Int {
    if let escape = unicodeEscape(bytes, position, escapes), escape.scalar >= 0xA0, escape.scalar != 0x241B,
      let scalar = Unicode.Scalar(escape.scalar)
    {
      out += Array(String(Character(scalar)).utf8)
      return escape.length
    }
    let length = min(2, bytes.count - position)
    out.append(0x5C)
    // A control character behind a backslash is escaped by itself.
    guard length == 2, bytes[position + 1] >= 0x20, bytes[position + 1] < 0x7F else { return 1 }
    out.append(bytes[position + 1])
    return 2
  }

  /// More than one byte in sixteen is neither text nor a line end or tab; of a large call, more than one in sixteen
  /// has to be escaped, whatever it is.
  private static func isBinary(_ bytes: UnsafeBufferPointer<UInt8>, isLarge: Bool) -> Bool {
    var strange = 0
    var position = 0
    while true {
      position = bytes.afterPlain(from: position, stoppingAt: 0x7F)
      guard position < bytes.count else { break }
      let byte = bytes[position]
      if byte >= 0x80 {
        let length = UTF8Scalars.length(bytes, position)
        if length == 0 { strange += 1 }
        if isLarge, length > 0, isMarkOrControl(bytes, position, length) { strange += length }
        position += max(length, 1)
        continue
      }
      if byte < 0x20, isLarge || byte != 0x0A && byte != 0x0D && byte != 0x09 { strange += 1 }
      if byte == 0x7F, isLarge { strange += 1 }
      position += 1
    }
    return strange > 4 && strange > bytes.count / 16
  }

  private static func isMarkOrControl(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ length: Int) -> Bool {
    if length == 2 { return bytes[position] == 0xC2 && bytes[position + 1] < 0xA0 }
    return length == 3 && bytes[position] == 0xE2 && bytes[position + 1] == 0x90 && bytes[position + 2] == 0x9B
  }

  /// The character that `\uXXXX`, or a pair of them, at `position` means; nil if the digits are not of the case asked
  /// for, or it is half a pair.
  private static func unicodeEscape(
    _ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ escapes: Escapes
  ) -> (scalar: UInt32, length: Int)? {
    guard let first = unit(bytes, position, escapes) else { return nil }
    if first & 0xF800 != 0xD800 { return (first, 6) }
    guard first < 0xDC00, let second = unit(bytes, position + 6, escapes), second & 0xFC00 == 0xDC00 else { return nil }
    return (0x10000 + (first - 0xD800) << 10 + (second - 0xDC00), 12)
  }

  private static func unit(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ escapes: Escapes) -> UInt32? {
    guard position + 6 <= bytes.count, bytes[position] == 0x5C, bytes[position + 1] == 0x75 else { return nil }
    var value: UInt32 = 0
    for index in 2..<6 {
      guard let digit = digit(bytes[position + index], escapes) else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  private static func digit(_ byte: UInt8, _ escapes: Escapes) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x61...0x66 where escapes == .lower: byte - 0x61 + 10
    case 0x41...0x46 where escapes == .upper: byte - 0x41 + 10
    default: nil
    }
  }

  private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x41 + nibble - 10 }

  // MARK: Reading

  /// Total. The result has at most three times as many bytes.
  ///
  /// - Parameter hole: called for `␛<n>`, which stands in templates only, with n and how many bytes came before it.
  static func decode(
    _ text: UnsafeBufferPointer<UInt8>, _ escapes: Escapes,
    hole: (Int, Int) throws -> Void = { _, _ in
      throw BlockError("a hole outside of a template")
    }
  ) throws -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(text.count)
    var plainFrom = 0
    var position = 0
    while true {
      position = text.afterASCII(from: position)
      guard position < text.count else { break }
      let length = UTF8Scalars.length(text, position)
      guard length > 0 else { throw BlockError("text that is not UTF-8") }
      let isMark = length == 3 && isMarkOrControl(text, position, 3)
      guard isMark || escapes != .none else {
        position += length
        continue
      }
      out.append(contentsOf: UnsafeBufferPointer(rebasing: text[plainFrom..<position]))
      if isMark {
        position = try decodeMark(text, position + 3, to: &out, hole: hole)
      } else {
        appendUnits(UTF8Scalars.scalar(text, position, length), escapes, to: &out)
        position += length
      }
      plainFrom = position
    }
    out.append(contentsOf: UnsafeBufferPointer(rebasing: text[plainFrom...]))
    return out
  }

  /// What stands behind `␛`; returns the position behind it.
  private static func decodeMark(
    _ text: UnsafeBufferPointer<UInt8>, _ position: Int, to out: inout [UInt8], hole: (Int, Int) throws -> Void
  ) throws -> Int {
    guard position < text.count else { throw BlockError("an escape without an end") }
    switch text[position] {
    case 0x28:
      guard let end = text.position(of: 0x29, from: position),
        let bytes = Base64.bytes(Array(text[(position + 1)..<end])[...])
      else { throw BlockError("base64 in an escape") }
      out += bytes
      return end + 1
    case 0x3C:
      guard let end = text.position(of: 0x3E, from: position),
        let number = Decimal.parse(UnsafeBufferPointer(rebasing: text[(position + 1)..<end]))
      else { throw BlockError("the number of a hole") }
      try hole(number, out.count)
      return end + 1
    default:
      guard position + 2 <= text.count, let high = digit(text[position], .upper),
        let low = digit(text[position + 1], .upper)
      else { throw BlockError("an escape that is none") }
      out.append(high << 4 | low)
      return position + 2
    }
  }

  private static func appendUnits(_ scalar: UInt32, _ escapes: Escapes, to out: inout [UInt8]) {
    func unit(_ value: UInt32) {
      out.append(0x5C)
      out.append(0x75)
      for shift in [12, 8, 4, 0] as [UInt32] {
        let digit = hex(UInt8(value >> shift & 15))
        out.append(escapes == .lower && digit >= 0x41 ? digit + 0x20 : digit)
      }
    }
    guard scalar >= 0x10000 else { return unit(scalar) }
    unit(0xD800 + (scalar - 0x10000) >> 10)
    unit(0xDC00 + (scalar - 0x10000) & 0x3FF)
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// The first byte from `start` on that is no ASCII, or the end.
  @inline(__always)
  func afterASCII(from start: Int) -> Int {
    var position = start
    let raw = UnsafeRawPointer(baseAddress)
    while position + 8 <= count, let raw,
      raw.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
    {
      position += 8
    }
    while position < count, self[position] < 0x80 { position += 1 }
    return position
  }

  /// The first byte from `start` on that is no printable ASCII, or is `byte`, or the end.
  @inline(__always)
  func afterPlain(from start: Int, stoppingAt byte: UInt8) -> Int {
    let (ones, highest): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
    let (stops, deletes) = (UInt64(byte) &* ones, 0x7F &* ones)
    var position = start
    let raw = UnsafeRawPointer(baseAddress)
    while position + 8 <= count, let raw {
      let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let (stop, delete) = (word ^ stops, word ^ deletes)
      // The highest bit of each byte that is one of them; above the first such byte there may be others.
      let found = (word | (word &- 0x20 &* ones) | (stop &- ones) & ~stop | (delete &- ones) & ~delete) & highest
      if found != 0 { return position + found.trailingZeroBitCount >> 3 }
      position += 8
    }
    while position < count, self[position] >= 0x20, self[position] < 0x7F, self[position] != byte { position += 1 }
    return position
  }

  /// Where the byte comes next; nil if it does not.
  func position(of byte: UInt8, from start: Int) -> Int? {
    guard start < count, let base = baseAddress, let found = memchr(base + start, Int32(byte), count - start) else {
      return nil
    }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }
}
