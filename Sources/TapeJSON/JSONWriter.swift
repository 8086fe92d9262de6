extension JSONValue {
  /// Compact JSON: no white space, members in their order, numbers as they were read.
  public var compact: [UInt8] {
    var out: [UInt8] = []
    write(into: &out)
    return out
  }

  /// JSON for people: two spaces an indent.
  public var pretty: [UInt8] {
    var out: [UInt8] = []
    write(into: &out, indent: 0)
    return out
  }

  public var compactString: String { String(decoding: compact, as: UTF8.self) }

  /// Appends JSON: for people, within something that is so many indents deep, or compact without `indent`.
  package func write(into out: inout [UInt8], indent: Int? = nil) {
    switch self {
    case .null: out.append(contentsOf: "null".utf8)
    case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
    case .number(let text): out.append(contentsOf: text.utf8)
    case .string(let text): JSONValue.write(string: text, into: &out)
    case .array(let elements):
      JSONValue.write(open: 0x5B, close: 0x5D, count: elements.count, indent: indent, into: &out) { index, out in
        elements[index].write(into: &out, indent: indent.map { $0 + 1 })
      }
    case .object(let members):
      JSONValue.write(open: 0x7B, close: 0x7D, count: members.count, indent: indent, into: &out) { index, out in
        JSONValue.write(string: members[index].key, into: &out)
        out.append(0x3A)
        if indent != nil { out.append(0x20) }
        members[index].value.write(into: &out, indent: indent.map { $0 + 1 })
      }
    }
  }

  private static func write(
    open: UInt8, close: UInt8, count: Int, indent: Int?, into out: inout [UInt8],
    element: (Int, inout [UInt8]) -> Void
  ) {
    out.append(open)
    for index in 0..<count {
      if index > 0 { out.append(0x2C) }
      if let indent { newline(indent + 1, &out) }
      element(index, &out)
    }
    if let indent, count > 0 { newline(indent, &out) }
    out.append(close)
  }

  private static func newline(_ indent: Int, _ out: inout [UInt8]) {
    out.append(0x0A)
    out.append(contentsOf: repeatElement(0x20, count: indent * 2))
  }

  /// Appends a JSON string: only what must be escaped is (quote, backslash, control characters).
  public static func write(string text: String, into out: inout [UInt8]) {
    var text = text
    out.append(0x22)
    text.withUTF8 { bytes in
      if hasEscapes(bytes) { write(escaping: bytes, into: &out) } else { out.append(contentsOf: bytes) }
    }
    out.append(0x22)
  }

  /// Eight bytes at a time: nearly no text has any.
  static func hasEscapes(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let raw = UnsafeRawBufferPointer(bytes)
    var place = 0
    while place + 8 <= raw.count {
      if hasEscapes(raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)) { return true }
      place += 8
    }
    // What is left, behind bytes that need none.
    var last: UInt64 = 0x2020_2020_2020_2020
    while place < raw.count {
      last = last << 8 | UInt64(raw[place])
      place += 1
    }
    return hasEscapes(last)
  }

  /// Whether one of eight bytes is a quote, a backslash or under 0x20.
  ///
  /// A byte less a number borrows from its highest bit if it is smaller. A borrow may go on to the next byte, but only
  /// from one that is found anyway.
  private static func hasEscapes(_ eight: UInt64) -> Bool {
    let (ones, tops) = (0x0101_0101_0101_0101 as UInt64, 0x8080_8080_8080_8080 as UInt64)
    let quotes = eight ^ ones &* 0x22
    let backslashes = eight ^ ones &* 0x5C
    let found = (eight &- ones &* 0x20) & ~eight | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
    return found & tops != 0
  }

  private static func write(escaping bytes: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
    var start = 0
    for place in bytes.indices where bytes[place] < 0x20 || bytes[place] == 0x22 || bytes[place] == 0x5C {
      out.append(contentsOf: bytes[start..<place])
      write(escaped: bytes[place], into: &out)
      start = place + 1
    }
    out.append(contentsOf: bytes[start...])
  }

  private static func write(escaped byte: UInt8, into out: inout [UInt8]) {
    switch byte {
    case 0x22, 0x5C: out.append(contentsOf: [0x5C, byte])
    case 0x0A: out.append(contentsOf: [0x5C, 0x6E])
    case 0x0D: out.append(contentsOf: [0x5C, 0x72])
    case 0x09: out.append(contentsOf: [0x5C, 0x74])
    default:
      let digits = [byte >> 4, byte & 15].map { $0 < 10 ? 0x30 + $0 : 0x57 + $0 }
      out.append(contentsOf: [0x5C, 0x75, 0x30, 0x30] + digits)
    }
  }
}
