/// Strict UTF-8, as Unicode 16 table 3-7 has it.
enum UTF8Scalars {
  /// Bytes of the well-formed character at `position`; 0 if there is none.
  static func length(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
    let first = bytes[position]
    if first < 0x80 { return 1 }
    let left = bytes.count - position
    func isTail(_ offset: Int) -> Bool { bytes[position + offset] & 0xC0 == 0x80 }
    switch first {
    case 0xC2...0xDF: return left >= 2 && isTail(1) ? 2 : 0
    case 0xE0...0xEF:
      guard left >= 3, isTail(1), isTail(2) else { return 0 }
      let second = bytes[position + 1]
      if first == 0xE0, second < 0xA0 { return 0 }
      return first == 0xED && second >= 0xA0 ? 0 : 3
    case 0xF0...0xF4:
      guard left >= 4, isTail(1), isTail(2), isTail(3) else { return 0 }
      let second = bytes[position + 1]
      if first == 0xF0, second < 0x90 { return 0 }
      return first == 0xF4 && second >= 0x90 ? 0 : 4
    default: return 0
    }
  }

  /// The character of a length that `length` gave.
  static func scalar(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ length: Int) -> UInt32 {
    var value = UInt32(bytes[position])
    if length > 1 { value &= 0x7F >> UInt32(length) }
    for offset in 1..<max(length, 1) { value = value << 6 | UInt32(bytes[position + offset] & 0x3F) }
    return value
  }
}
