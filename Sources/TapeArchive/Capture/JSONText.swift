/// JSON strings to and from bytes, without a `String` in between.
package enum JSONText {
  /// Appends a quoted JSON string. The bytes have to be valid UTF-8.
  package static func appendString(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) {
    out.append(0x22)
    for byte in bytes {
      switch byte {
      case 0x22, 0x5C:
        out.append(0x5C)
        out.append(byte)
      case 0x0A: out += [0x5C, 0x6E]
      case 0x0D: out += [0x5C, 0x72]
      case 0x09: out += [0x5C, 0x74]
      case 0..<0x20: out += [0x5C, 0x75, 0x30, 0x30, Hex.digits[Int(byte >> 4)], Hex.digits[Int(byte & 15)]]
      default: out.append(byte)
      }
    }
    out.append(0x22)
  }

  /// Appends what the characters between a JSON string's quotes stand for, as UTF-8. False for what stands for nothing,
  /// such as half a surrogate pair: text cannot say those bytes.
  package static func unescape(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
    var position = 0
    while position < text.count {
      var run = position
      while run < text.count, text[run] != 0x5C { run += 1 }
      if run > position { out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[position..<run])) }
      position = run
      guard position < text.count else { return true }
      guard position + 1 < text.count else { return false }
      switch text[position + 1] {
      case 0x22, 0x5C, 0x2F: out.append(text[position + 1])
      case 0x62: out.append(0x08)
      case 0x66: out.append(0x0C)
      case 0x6E: out.append(0x0A)
      case 0x72: out.append(0x0D)
      case 0x74: out.append(0x09)
      case 0x75:
        guard let end = scalar(text, position, &out) else { return false }
        position = end
        continue
      default: return false
      }
      position += 2
    }
    return true
  }

  /// Appends the scalar of the `\u` escape at `position`; returns where it ends.
  private static func scalar(_ text: UnsafeRawBufferPointer, _ position: Int, _ out: inout [UInt8]) -> Int? {
    guard let first = hex4(text, position + 2) else { return nil }
    var end = position + 6
    var value = first
    if first & 0xFC00 == 0xD800 {
      guard end + 1 < text.count, text[end] == 0x5C, text[end + 1] == 0x75, let second = hex4(text, end + 2),
        second & 0xFC00 == 0xDC00
      else { return nil }
      value = 0x10000 + (first & 0x3FF) << 10 + second & 0x3FF
      end += 6
    }
    guard let scalar = Unicode.Scalar(value) else { return nil }
    out += UTF8.encode(scalar).map(Array.init) ?? []
    return end
  }

  private static func hex4(_ text: UnsafeRawBufferPointer, _ position: Int) -> UInt32? {
    guard position + 4 <= text.count else { return nil }
    var value: UInt32 = 0
    for byte in text[position..<(position + 4)] {
      guard let digit = Hex.value(byte) ?? Hex.value(byte | 0x20) else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}

/// Base64 as RFC 4648 §4 has it, with padding.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  package static func append(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) {
    var position = bytes.startIndex
    while position < bytes.endIndex {
      let count = min(3, bytes.endIndex - position)
      var value = Int(bytes[position]) << 16
      if count > 1 { value |= Int(bytes[position + 1]) << 8 }
      if count > 2 { value |= Int(bytes[position + 2]) }
      for index in 0..<4 { out.append(index <= count ? alphabet[value >> (18 - 6 * index) & 63] : 0x3D) }
      position += 3
    }
  }

  package static func string(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    append(bytes[...], to: &out)
    return String(decoding: out, as: UTF8.self)
  }

  /// Only of the one text that says these bytes: with its padding, without anything else.
  package static func exactBytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard let bytes = bytes(text) else { return nil }
    var again: [UInt8] = []
    append(bytes[...], to: &again)
    return again.elementsEqual(text) ? bytes : nil
  }

  /// nil for what is not base64. Padding may be missing.
  package static func bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var out: [UInt8] = []
    var value = 0
    var bits = 0
    var padding = 0
    for character in text {
      if character == 0x3D {
        padding += 1
        continue
      }
      guard padding == 0, let digit = digit(character) else { return nil }
      value = (value << 6 | digit) & 0xFFFFFF
      bits += 6
      if bits >= 8 {
        bits -= 8
        out.append(UInt8(truncatingIfNeeded: value >> bits))
      }
    }
    return padding <= 2 && bits < 6 && value & (1 << bits - 1) == 0 ? out : nil
  }

  private static func digit(_ character: UInt8) -> Int? {
    switch character {
    case 0x41...0x5A: Int(character) - 0x41
    case 0x61...0x7A: Int(character) - 0x61 + 26
    case 0x30...0x39: Int(character) - 0x30 + 52
    case 0x2B: 62
    case 0x2F: 63
    default: nil
    }
  }
}
