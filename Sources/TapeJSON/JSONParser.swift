/// What made a text not JSON, and where.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Offset in bytes of the byte that could not be read.
  public var offset: Int
  public var description: String
}

extension JSONValue {
  /// Nesting deeper than this is refused, so that hostile input cannot exhaust the stack.
  public static let maximumDepth = 512

  /// Reads one JSON text, white space around it allowed.
  ///
  /// More lenient than RFC 8259 in one point: invalid UTF-8 in strings reads as U+FFFD.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    var result: Result<JSONValue, JSONError> = .success(.null)
    bytes.withUnsafeBytes { buffer in
      do throws(JSONError) {
        result = .success(try JSONValue(parsing: buffer))
      } catch {
        result = .failure(error)
      }
    }
    self = try result.get()
  }

  public init(parsing buffer: UnsafeRawBufferPointer) throws(JSONError) {
    var parser = JSONParser(buffer)
    self = try parser.document()
  }

  public init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }
}

/// A recursive-descent reader of one JSON text over borrowed bytes.
struct JSONParser {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func document() throws(JSONError) -> JSONValue {
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("text behind the JSON value") }
    return value
  }

  private func failure(_ what: String) -> JSONError {
    JSONError(offset: position, description: "\(what) at byte \(position)")
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < JSONValue.maximumDepth else { throw failure("nesting too deep") }
    skipSpace()
    guard position < bytes.count else { throw failure("unexpected end") }
    switch bytes[position] {
    case 0x7B: return try object(depth: depth)
    case 0x5B: return try array(depth: depth)
    case 0x22: return .string(try string())
    case 0x74: return try literal("true", .bool(true))
    case 0x66: return try literal("false", .bool(false))
    case 0x6E: return try literal("null", .null)
    case 0x2D, 0x30...0x39: return .number(try number())
    default: throw failure("unexpected byte")
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let count = text.utf8CodeUnitCount
    guard position + count <= bytes.count else { throw failure("unexpected end") }
    for index in 0..<count where bytes[position + index] != text.utf8Start[index] { throw failure("unexpected word") }
    position += count
    return value
  }

  private mutating func number() throws(JSONError) -> String {
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
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func digits() -> Int {
    let start = position
    while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 { position += 1 }
    return position - start
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if position < bytes.count, bytes[position] == 0x5D {
      position += 1
      return .array(elements)
    }
    while true {
      elements.append(try value(depth: depth + 1))
      if try separator(closing: 0x5D) { return .array(elements) }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    skipSpace()
    if position < bytes.count, bytes[position] == 0x7D {
      position += 1
      return .object(members)
    }
    while true {
      skipSpace()
      guard position < bytes.count, bytes[position] == 0x22 else { throw failure("expected a key") }
      let key = try string()
      skipSpace()
      guard position < bytes.count, bytes[position] == 0x3A else { throw failure("expected ':'") }
      position += 1
      members.append(.init(key, try value(depth: depth + 1)))
      if try separator(closing: 0x7D) { return .object(members) }
    }
  }

  /// Reads `,` (false) or the closing byte (true).
  private mutating func separator(closing: UInt8) throws(JSONError) -> Bool {
    skipSpace()
    guard position < bytes.count else { throw failure("unexpected end") }
    let byte = bytes[position]
    guard byte == 0x2C || byte == closing else { throw failure("expected ',' or a closing bracket") }
    position += 1
    return byte == closing
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < bytes.count, bytes[position] != 0x22, bytes[position] != 0x5C {
      guard bytes[position] >= 0x20 else { throw failure("control character in a string") }
      position += 1
    }
    guard position < bytes.count else { throw failure("unterminated string") }
    if bytes[position] == 0x22 {
      defer { position += 1 }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }
    return try escapedString(from: start)
  }

  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var text = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case 0x22:
        position += 1
        return String(decoding: text, as: UTF8.self)
      case 0x5C: try escape(into: &text)
      case 0..<0x20: throw failure("control character in a string")
      default:
        text.append(byte)
        position += 1
      }
    }
    throw failure("unterminated string")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    guard position + 1 < bytes.count else { throw failure("unterminated string") }
    let kind = bytes[position + 1]
    position += 2
    switch kind {
    case 0x22, 0x5C, 0x2F: text.append(kind)
    case 0x62: text.append(0x08)
    case 0x66: text.append(0x0C)
    case 0x6E: text.append(0x0A)
    case 0x72: text.append(0x0D)
    case 0x74: text.append(0x09)
    case 0x75: text.append(contentsOf: Array(String(try unicodeScalar()).utf8))
    default: throw failure("unknown escape")
    }
  }

  private mutating func unicodeScalar() throws(JSONError) -> Character {
    let first = try hex4()
    if first & 0xFC00 == 0xD800, position + 1 < bytes.count, bytes[position] == 0x5C, bytes[position + 1] == 0x75 {
      let mark = position
      position += 2
      let second = try hex4()
      if second & 0xFC00 == 0xDC00 {
        let scalar = 0x10000 + (first & 0x3FF) << 10 + second & 0x3FF
        return Character(Unicode.Scalar(scalar) ?? "\u{FFFD}")
      }
      position = mark
    }
    return Character(Unicode.Scalar(first) ?? "\u{FFFD}")
  }

  private mutating func hex4() throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw failure("unterminated escape") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      let byte = bytes[position]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46, 0x61...0x66: value = value << 4 | UInt32((byte | 0x20) - 0x61 + 10)
      default: throw failure("malformed escape")
      }
      position += 1
    }
    return value
  }
}
