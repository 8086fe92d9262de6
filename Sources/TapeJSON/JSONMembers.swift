internal import TapeTypes

/// What takes the members of an object one after the other: a tree of them, or their text.
///
/// So that what writes thousands of rows says once what they have, and does not make a tree of each.
package protocol JSONMembers {
  mutating func number(_ key: JSONKey, _ value: Int?)
  /// `digits` × 10^-`places`, without the zeros at its end.
  mutating func number(_ key: JSONKey, _ digits: Int?, places: Int)
  /// The same as a string.
  mutating func string(_ key: JSONKey, _ digits: Int128?, places: Int)
  mutating func string(_ key: JSONKey, _ value: String?)
  mutating func strings(_ key: JSONKey, _ values: [String])
  mutating func object(_ key: JSONKey, _ members: (inout Self) -> Void)
}

/// The name of a member: one that is written in the source has nothing to be escaped, and is not looked through.
package enum JSONKey: ExpressibleByStringLiteral {
  case fixed(StaticString)
  case named(String)

  package init(stringLiteral value: StaticString) { self = .fixed(value) }

  fileprivate var text: String {
    switch self {
    case .fixed(let text): text.description
    case .named(let text): text
    }
  }
}

/// Members as values.
package struct JSONTree: JSONMembers {
  package private(set) var members: [JSONValue.Member] = []

  package init() {}

  package mutating func number(_ key: JSONKey, _ value: Int?) { members.append(.init(key.text, .int(value))) }

  package mutating func number(_ key: JSONKey, _ digits: Int?, places: Int) {
    let text = digits.map { DecimalText.trimmed(UInt128($0.magnitude), isNegative: $0 < 0, places: places) }
    members.append(.init(key.text, text.map { .number($0) } ?? .null))
  }

  package mutating func string(_ key: JSONKey, _ digits: Int128?, places: Int) {
    string(key, digits.map { DecimalText.trimmed($0.magnitude, isNegative: $0 < 0, places: places) })
  }

  package mutating func string(_ key: JSONKey, _ value: String?) { members.append(.init(key.text, .string(value))) }

  package mutating func strings(_ key: JSONKey, _ values: [String]) {
    members.append(.init(key.text, .array(values.map { .string($0) })))
  }

  package mutating func object(_ key: JSONKey, _ members: (inout JSONTree) -> Void) {
    var inner = JSONTree()
    members(&inner)
    self.members.append(.init(key.text, .object(inner.members)))
  }
}

/// The text of one object, as `JSONValue` would write it.
///
/// It is written into memory of its own, for which there is room before each member: thousands of rows have a hundred
/// thousand members of a few bytes.
package struct JSONText: JSONMembers {
  private let memory = TextMemory()
  /// How deep the members are indented; nil for compact text.
  private var indent: Int?
  private var isFirst = true

  /// Begins an object.
  ///
  /// - Parameter indent: how deep the object itself stands; nil for compact text.
  package init(indent: Int?) {
    self.indent = indent.map { $0 + 1 }
    put(0x7B)
  }

  /// Ends the object and appends it to `bytes`.
  package mutating func finish(into bytes: inout [UInt8]) {
    close(0x7D)
    bytes.append(contentsOf: memory.text)
  }

  package mutating func number(_ key: JSONKey, _ value: Int?) {
    begin(key)
    if let value { put(number: value) } else { put("null") }
  }

  package mutating func number(_ key: JSONKey, _ digits: Int?, places: Int) {
    begin(key)
    if let digits { put(Int128(digits), places: places) } else { put("null") }
  }

  package mutating func string(_ key: JSONKey, _ digits: Int128?, places: Int) {
    begin(key)
    guard let digits else { return put("null") }
    put(0x22)
    put(digits, places: places)
    put(0x22)
  }

  package mutating func string(_ key: JSONKey, _ value: String?) {
    begin(key)
    if let value { put(quoted: value) } else { put("null") }
  }

  package mutating func strings(_ key: JSONKey, _ values: [String]) {
    begin(key)
    var text: [UInt8] = []
    JSONValue.array(values.map { .string($0) }).write(into: &text, indent: indent)
    text.withUnsafeBufferPointer { put($0) }
  }

  package mutating func object(_ key: JSONKey, _ members: (inout JSONText) -> Void) {
    begin(key)
    put(0x7B)
    indent = indent.map { $0 + 1 }
    isFirst = true
    members(&self)
    close(0x7D)
    indent = indent.map { $0 - 1 }
    isFirst = false
  }

  private mutating func begin(_ key: JSONKey) {
    if !isFirst { put(0x2C) }
    isFirst = false
    newline(indent)
    switch key {
    case .fixed(let text):
      put(0x22)
      put(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
      put(0x22)
    case .named(let text): put(quoted: text)
    }
    put(0x3A)
    if indent != nil { put(0x20) }
  }

  private mutating func close(_ bracket: UInt8) {
    if !isFirst { newline(indent.map { $0 - 1 }) }
    put(bracket)
  }

  private mutating func newline(_ depth: Int?) {
    guard let depth else { return }
    put(0x0A)
    for _ in 0..<depth {
      put(0x20)
      put(0x20)
    }
  }

  private func put(_ byte: UInt8) { memory.append(byte) }

  private func put(_ bytes: UnsafeBufferPointer<UInt8>) { memory.append(bytes) }

  private func put(_ text: StaticString) {
    memory.append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private func put(quoted text: String) {
    var text = text
    let isPlain = text.withUTF8 { bytes in
      if JSONValue.hasEscapes(bytes) { return false }
      put(0x22)
      put(bytes)
      put(0x22)
      return true
    }
    if isPlain { return }
    var quoted: [UInt8] = []
    JSONValue.write(string: text, into: &quoted)
    quoted.withUnsafeBufferPointer { put($0) }
  }

  private func put(_ digits: Int128, places: Int) {
    guard let small = UInt64(exactly: digits), places < 19 else {
      var text = DecimalText.trimmed(digits.magnitude, isNegative: digits < 0, places: places)
      return text.withUTF8 { put($0) }
    }
    memory.append(decimal: UInt(small), places: places)
  }

  private func put(number: Int) {
    if number < 0 { memory.append(0x2D) }
    memory.append(digitsOf: number.magnitude)
  }
}

/// Bytes that grow at their end.
private final class TextMemory {
  private var bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 2048)
  private var count = 0

  deinit { bytes.deallocate() }

  /// As long as nothing is appended.
  var text: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[..<count]) }

  func append(_ byte: UInt8) {
    makeRoom(for: 1)
    bytes[count] = byte
    count += 1
  }

  func append(_ more: UnsafeBufferPointer<UInt8>) {
    makeRoom(for: more.count)
    _ = UnsafeMutableBufferPointer(rebasing: bytes[count...]).initialize(fromContentsOf: more)
    count += more.count
  }

  func append(digitsOf number: UInt) {
    var (digits, rest) = (1, number)
    while rest >= 10 {
      digits += 1
      rest /= 10
    }
    makeRoom(for: digits)
    rest = number
    for place in stride(from: count + digits - 1, through: count, by: -1) {
      bytes[place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += digits
  }

  /// `digits` × 10^-`places`, without the zeros at its end.
  func append(decimal digits: UInt, places: Int) {
    var (digits, places, power) = (digits, places, 1 as UInt)
    while places > 0, digits % 10 == 0 {
      digits /= 10
      places -= 1
    }
    for _ in 0..<places { power *= 10 }
    append(digitsOf: digits / power)
    guard places > 0 else { return }
    append(0x2E)
    makeRoom(for: places)
    var rest = digits % power
    for place in stride(from: count + places - 1, through: count, by: -1) {
      bytes[place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += places
  }

  private func makeRoom(for more: Int) {
    if bytes.count - count < more { grow(by: more) }
  }

  private func grow(by more: Int) {
    let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(bytes.count * 2, count + more))
    _ = larger.initialize(fromContentsOf: bytes[..<count])
    bytes.deallocate()
    bytes = larger
  }
}
