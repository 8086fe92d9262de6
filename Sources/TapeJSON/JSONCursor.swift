/// Reads JSON in place: values are checked and their places handed out, nothing is built.
///
/// Accepts what RFC 8259 does, and invalid UTF-8 in strings (it reads as U+FFFD). Numbers
/// have no size limit, surrogate escapes need no partner. A container nested deeper than
/// `JSONValue.maximumDepth` is refused. Every method that throws leaves the cursor useless.
package struct JSONCursor {
  package let bytes: UnsafeRawBufferPointer
  package private(set) var position: Int

  /// - Parameter bytes: lent; they must outlive the cursor.
  package init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    position = 0
  }

  /// Reads inside a value that a cursor over the same bytes has checked.
  package init(_ bytes: UnsafeRawBufferPointer, at slice: JSONSlice) {
    self.bytes = bytes
    position = slice.kind == .string ? slice.range.lowerBound - 1 : slice.range.lowerBound
  }

  /// Checks a whole text of one value, white space around it allowed.
  package mutating func document() throws(JSONError) -> JSONSlice {
    let slice = try skipValue()
    try expectEnd()
    return slice
  }

  /// Checks the next value and steps behind it.
  package mutating func skipValue() throws(JSONError) -> JSONSlice { try skip(depth: 0) }

  /// Steps through the object that comes next and hands out each key and value, in order, duplicates too.
  ///
  /// - Parameter skims: the values are stepped over as `skimValue` does.
  package mutating func members(
    skims: Bool = false, _ body: (_ key: JSONSlice, _ value: JSONSlice) throws(JSONError) -> Void
  ) throws(JSONError) {
    try open(0x7B, "expected an object")
    if closes(0x7D) { return }
    repeat {
      let key = try self.key()
      try body(key, try skims ? skimValue() : skip(depth: 1))
    } while try !separator(closing: 0x7D)
  }

  /// Steps through the array that comes next and hands out each element.
  ///
  /// - Parameter skims: they are stepped over as `skimValue` does.
  package mutating func elements(
    skims: Bool = false, _ body: (_ index: Int, _ value: JSONSlice) throws(JSONError) -> Void
  ) throws(JSONError) {
    try open(0x5B, "expected an array")
    if closes(0x5D) { return }
    var index = 0
    repeat {
      try body(index, try skims ? skimValue() : skip(depth: 1))
      index += 1
    } while try !separator(closing: 0x5D)
  }

  /// Steps behind the next value without checking it, which is several times as fast: of containers only strings and
  /// brackets are looked at. For text that has been checked, or that is when it is read.
  package mutating func skimValue() throws(JSONError) -> JSONSlice {
    skipSpace()
    guard position < bytes.count, bytes[position] == 0x7B || bytes[position] == 0x5B else { return try skipValue() }
    let kind = bytes[position] == 0x7B ? JSONSlice.Kind.object : .array
    guard let end = endOfContainer(from: position) else { throw failure("unexpected end") }
    defer { position = end }
    return JSONSlice(kind: kind, range: position..<end)
  }

  /// Behind the bracket that closes the one at `start`; nil if none does.
  private func endOfContainer(from start: Int) -> Int? {
    // Numbers of its own: this is a few instructions a byte.
    let bytes = bytes
    var (place, depth) = (start, 0)
    while place < bytes.count {
      switch bytes[place] {
      case 0x22:
        place += 1
        while place < bytes.count, bytes[place] != 0x22 { place += bytes[place] == 0x5C ? 2 : 1 }
      case 0x7B, 0x5B: depth += 1
      case 0x7D, 0x5D:
        depth -= 1
        if depth == 0 { return place + 1 }
      default: break
      }
      place += 1
    }
    return nil
  }

  package mutating func expectEnd() throws(JSONError) {
    skipSpace()
    guard position == bytes.count else { throw failure("text behind the JSON value") }
  }

  // MARK: Checking

  private mutating func skip(depth: Int) throws(JSONError) -> JSONSlice {
    skipSpace()
    guard position < bytes.count else { throw failure("unexpected end") }
    let start = position
    switch bytes[position] {
    case 0x22: return try string()
    case 0x7B:
      try skipObject(depth: depth)
      return JSONSlice(kind: .object, range: start..<position)
    case 0x5B:
      try skipArray(depth: depth)
      return JSONSlice(kind: .array, range: start..<position)
    case 0x74: return try literal("true", .true)
    case 0x66: return try literal("false", .false)
    case 0x6E: return try literal("null", .null)
    case 0x2D, 0x30...0x39: return try number()
    default: throw failure("unexpected byte")
    }
  }

  private mutating func skipObject(depth: Int) throws(JSONError) {
    guard depth < JSONValue.maximumDepth else { throw failure("nesting too deep") }
    position += 1
    if closes(0x7D) { return }
    repeat {
      _ = try key()
      _ = try skip(depth: depth + 1)
    } while try !separator(closing: 0x7D)
  }

  private mutating func skipArray(depth: Int) throws(JSONError) {
    guard depth < JSONValue.maximumDepth else { throw failure("nesting too deep") }
    position += 1
    if closes(0x5D) { return }
    repeat { _ = try skip(depth: depth + 1) } while try !separator(closing: 0x5D)
  }

  private mutating func literal(_ text: StaticString, _ kind: JSONSlice.Kind) throws(JSONError) -> JSONSlice {
    let count = text.utf8CodeUnitCount
    guard position + count <= bytes.count else { throw failure("unexpected end") }
    for index in 0..<count where bytes[position + index] != text.utf8Start[index] { throw failure("unexpected word") }
    position += count
    return JSONSlice(kind: kind, range: position - count..<position)
  }

  private mutating func number() throws(JSONError) -> JSONSlice {
    let start = position
    if bytes[position] == 0x2D { position += 1 }
    let leadingZero = position < bytes.count && bytes[position] == 0x30
    let whole = digits()
    if whole == 0 || (leadingZero && whole > 1) { throw failure("malformed number") }
    if position < bytes.count, bytes[position] == 0x2E {
      position += 1
      if digits() == 0 { throw failure("malformed number") }
    }
    if position < bytes.count, bytes[position] | 0x20 == 0x65 {
      position += 1
      if position < bytes.count, bytes[position] == 0x2B || bytes[position] == 0x2D { position += 1 }
      if digits() == 0 { throw failure("malformed number") }
    }
    return JSONSlice(kind: .number, range: start..<position)
  }

  private mutating func digits() -> Int {
    let start = position
    while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 { position += 1 }
    return position - start
  }

  // MARK: Pieces

  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  mutating func open(_ byte: UInt8, _ message: String) throws(JSONError) {
    skipSpace()
    guard position < bytes.count, bytes[position] == byte else { throw failure(message) }
    position += 1
  }

  /// Steps over the closing byte of an empty container.
  mutating func closes(_ byte: UInt8) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  mutating func key() throws(JSONError) -> JSONSlice {
    skipSpace()
    guard position < bytes.count, bytes[position] == 0x22 else { throw failure("expected a key") }
    let key = try string()
    skipSpace()
    guard position < bytes.count, bytes[position] == 0x3A else { throw failure("expected ':'") }
    position += 1
    return key
  }

  /// Reads `,` (false) or the closing byte (true).
  mutating func separator(closing: UInt8) throws(JSONError) -> Bool {
    skipSpace()
    guard position < bytes.count else { throw failure("unexpected end") }
    let byte = bytes[position]
    guard byte == 0x2C || byte == closing else { throw failure("expected ',' or a closing bracket") }
    position += 1
    return byte == closing
  }

  private mutating func string() throws(JSONError) -> JSONSlice {
    position += 1
    let start = position
    var slice = JSONSlice(kind: .string, range: start..<start)
    while true {
      slice.hasNonASCII = skipPlain() || slice.hasNonASCII
      guard position < bytes.count else { throw failure("unterminated string") }
      switch bytes[position] {
      case 0x22:
        slice.range = start..<position
        position += 1
        return slice
      case 0x5C:
        slice.hasEscapes = true
        try skipEscape()
      default: throw failure("control character in a string")
      }
    }
  }

  private mutating func skipEscape() throws(JSONError) {
    guard position + 1 < bytes.count else { throw failure("unterminated string") }
    switch bytes[position + 1] {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 2
    case 0x75:
      guard position + 6 <= bytes.count else { throw failure("unterminated escape") }
      for index in position + 2..<position + 6 where JSONCursor.hexValue(bytes[index]) == nil {
        throw failure("malformed escape")
      }
      position += 6
    default: throw failure("unknown escape")
    }
  }

  /// Steps to the next quote, backslash or control character, eight bytes at a time; true if a byte was over 0x7F.
  private mutating func skipPlain() -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs = ones << 7
    var seen: UInt64 = 0
    while position + 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let quote = word ^ ones &* 0x22
      let backslash = word ^ ones &* 0x5C
      // A byte's high bit is set where it is zero (or below 0x20); what lies above the first hit may be wrong.
      let stops =
        ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word) & highs
      if stops != 0 {
        let count = stops.trailingZeroBitCount >> 3
        seen |= word & (1 << UInt64(count * 8) &- 1)
        position += count
        return seen & highs != 0
      }
      seen |= word
      position += 8
    }
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 || byte == 0x5C || byte < 0x20 { break }
      seen |= UInt64(byte)
      position += 1
    }
    return seen & highs != 0
  }

  func failure(_ what: String) -> JSONError {
    JSONError(offset: position, description: "\(what) at byte \(position)")
  }

  static func hexValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte - 0x30)
    case 0x41...0x46, 0x61...0x66: UInt32((byte | 0x20) - 0x61 + 10)
    default: nil
    }
  }
}
