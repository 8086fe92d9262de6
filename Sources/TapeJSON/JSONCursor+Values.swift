#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension JSONCursor {
  /// Whether a string, e.g. a key, is this text.
  package func matches(_ slice: JSONSlice, _ text: StaticString) -> Bool {
    if slice.hasEscapes {
      return string(slice).utf8.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
    guard slice.range.count == text.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
    return memcmp(base + slice.range.lowerBound, text.utf8Start, text.utf8CodeUnitCount) == 0
  }

  /// The value's own bytes; a string's without its quotes and with its escapes.
  package func raw(_ slice: JSONSlice) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[slice.range])
  }

  /// The text of a string, lone surrogates and invalid UTF-8 as U+FFFD.
  package func string(_ slice: JSONSlice) -> String {
    if !slice.hasEscapes { return String(decoding: raw(slice), as: UTF8.self) }
    var text = WTF8Text()
    text.append(slice, of: self)
    return text.string
  }

  /// The number as an integer if it is one exactly (`10`, `10.0`, `1e1`) and fits.
  package func integer(_ slice: JSONSlice) -> Int? {
    guard slice.kind == .number else { return nil }
    let digits = raw(slice)
    guard digits.count < 19 else { return JSONNumber.integer(digits) }
    var value = 0
    for byte in digits {
      guard byte >= 0x30, byte <= 0x39 else { return JSONNumber.integer(digits) }
      value = value &* 10 &+ Int(byte - 0x30)
    }
    return value
  }

  /// The value as a tree.
  package func value(_ slice: JSONSlice) -> JSONValue {
    var cursor = JSONCursor(bytes, at: slice)
    // The slice has been checked, so nothing is thrown here.
    return (try? cursor.tree()) ?? .null
  }

  /// Reads the next value as a tree, in one pass.
  package mutating func tree() throws(JSONError) -> JSONValue { try tree(depth: 0) }

  private mutating func tree(depth: Int) throws(JSONError) -> JSONValue {
    skipSpace()
    guard position < bytes.count, bytes[position] == 0x7B || bytes[position] == 0x5B else {
      return leaf(try skipValue())
    }
    guard depth < JSONValue.maximumDepth else { throw failure("nesting too deep") }
    return bytes[position] == 0x7B ? try objectTree(depth: depth) : try arrayTree(depth: depth)
  }

  private mutating func objectTree(depth: Int) throws(JSONError) -> JSONValue {
    var members: [JSONValue.Member] = []
    try open(0x7B, "expected an object")
    if closes(0x7D) { return .object(members) }
    repeat {
      let key = try self.key()
      members.append(.init(string(key), try tree(depth: depth + 1)))
    } while try !separator(closing: 0x7D)
    return .object(members)
  }

  private mutating func arrayTree(depth: Int) throws(JSONError) -> JSONValue {
    var elements: [JSONValue] = []
    try open(0x5B, "expected an array")
    if closes(0x5D) { return .array(elements) }
    repeat { elements.append(try tree(depth: depth + 1)) } while try !separator(closing: 0x5D)
    return .array(elements)
  }

  private func leaf(_ slice: JSONSlice) -> JSONValue {
    switch slice.kind {
    case .true: .bool(true)
    case .false: .bool(false)
    case .number: .number(String(decoding: raw(slice), as: UTF8.self))
    case .string: .string(string(slice))
    case .null, .array, .object: .null
    }
  }
}
