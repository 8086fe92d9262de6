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
    if values.isEmpty { return put("[]") }
    put(0x5B)
    for (place, value) in values.enumerated() {
      if place > 0 { put(0x2C) }
      newline(indent.map { $0 + 1 })
      put(quoted: value)
    }
    newline(indent)
    put(0x5D)
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
    if case .fixed(let text) = key {
      memory.append(key: text, isFirst: isFirst, indent: indent)
    } else {
      if !isFirst { put(0x2C) }
      newline(indent)
      if case .named(let text) = key { put(quoted: text) }
      put(0x3A)
      if indent != nil { put(0x20) }
    }
    isFirst = false
  }

  private mutating func close(_ bracket: UInt8) {
    if !isFirst { newline(indent.map { $0 - 1 }) }
    put(bracket)
  }

  private func newline(_ depth: Int?) {
    if let depth { memory.append(lineAt: depth) }
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

  /// The name of a member, with all that goes around it.
  func append(key: StaticString, isFirst: Bool, indent: Int?) {
    let length = key.utf8CodeUnitCount
    if !isFirst { append(0x2C) }
    if let indent { append(lineAt: indent) }
    makeRoom(for: length + 4)
    guard let end = bytes.baseAddress.map({ $0 + count }) else { return }
    end.pointee = 0x22
    (end + 1).initialize(from: key.utf8Start, count: length)
    (end + length + 1).pointee = 0x22
    (end + length + 2).pointee = 0x3A
    if indent != nil { (end + length + 3).pointee = 0x20 }
    count += length + (indent == nil ? 3 : 4)
  }

  /// The beginning of a line that is so deep.
  func append(lineAt depth: Int) {
    makeRoom(for: 1 + 2 * depth)
    bytes[count] = 0x0A
    for place in (count + 1)..<(count + 1 + 2 * depth) { bytes[place] = 0x20 }
    count += 1 + 2 * depth
  }

  func append(digitsOf number: UInt) {
    let digits = Self.digits(of: number)
    makeRoom(for: digits)
    _ = write(number, digits: digits, at: count)
    count += digits
  }

  private static func digits(of number: UInt) -> Int {
    var (digits, limit) = (1, 10 as UInt)
    // No number has more than 20, and there is no larger power of ten.
    while digits < 20, number >= limit {
      digits += 1
      limit = limit &* 10
    }
    return digits
  }

  /// Writes the last digits of a number.
  ///
  /// - Returns: what is left of it.
  private func write(_ number: UInt, digits: Int, at start: Int) -> UInt {
    var (rest, place) = (number, start + digits)
    while place > start {
      place -= 1
      bytes[place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    return rest
  }

  /// `digits` × 10^-`places`, without the zeros at its end.
  func append(decimal digits: UInt, places: Int) {
    var (number, places) = (digits, places)
    // Most sums have few of the places that there are.
    while places >= 6, number % 1_000_000 == 0 {
      number /= 1_000_000
      places -= 6
    }
    while places > 0, number % 10 == 0 {
      number /= 10
      places -= 1
    }
    guard places > 0 else { return append(digitsOf: number) }
    let whole = max(1, Self.digits(of: number) - places)
    makeRoom(for: whole + 1 + places)
    let rest = write(number, digits: places, at: count + whole + 1)
    bytes[count + whole] = 0x2E
    _ = write(rest, digits: whole, at: count)
    count += whole + 1 + places
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
