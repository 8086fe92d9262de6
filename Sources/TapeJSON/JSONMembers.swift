/// What takes the members of an object one after the other: a tree of them, or their text.
///
/// So that what writes thousands of rows says once what they have, and does not make a tree of each.
package protocol JSONMembers {
  mutating func number(_ key: JSONKey, _ value: Int?)
  /// A number that is written as this text.
  mutating func number(_ key: JSONKey, text: String?)
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

  package mutating func number(_ key: JSONKey, text: String?) {
    members.append(.init(key.text, text.map { .number($0) } ?? .null))
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
package struct JSONText: JSONMembers {
  private var out: [UInt8] = []
  /// How deep the members are indented; nil for compact text.
  private var indent: Int?
  private var isFirst = true

  /// Begins an object behind `bytes`, which are empty until `finish` gives them back.
  ///
  /// - Parameter indent: how deep the object itself stands; nil for compact text.
  package init(behind bytes: inout [UInt8], indent: Int?) {
    swap(&out, &bytes)
    self.indent = indent.map { $0 + 1 }
    out.append(0x7B)
  }

  /// Ends the object, and gives the bytes back with it.
  package mutating func finish(into bytes: inout [UInt8]) {
    close(0x7D)
    swap(&out, &bytes)
  }

  package mutating func number(_ key: JSONKey, _ value: Int?) {
    begin(key)
    guard let value else { return append("null") }
    append(value)
  }

  package mutating func number(_ key: JSONKey, text: String?) {
    begin(key)
    append(text ?? "null")
  }

  package mutating func string(_ key: JSONKey, _ value: String?) {
    begin(key)
    if let value { JSONValue.write(string: value, into: &out) } else { append("null") }
  }

  package mutating func strings(_ key: JSONKey, _ values: [String]) {
    begin(key)
    if values.isEmpty {
      append("[]")
    } else {
      JSONValue.array(values.map { .string($0) }).write(into: &out, indent: indent)
    }
  }

  package mutating func object(_ key: JSONKey, _ members: (inout JSONText) -> Void) {
    begin(key)
    out.append(0x7B)
    indent = indent.map { $0 + 1 }
    isFirst = true
    members(&self)
    close(0x7D)
    indent = indent.map { $0 - 1 }
    isFirst = false
  }

  private mutating func begin(_ key: JSONKey) {
    if !isFirst { out.append(0x2C) }
    isFirst = false
    newline(indent)
    switch key {
    case .fixed(let text):
      out.append(0x22)
      out.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
      out.append(0x22)
    case .named(let text): JSONValue.write(string: text, into: &out)
    }
    out.append(0x3A)
    if indent != nil { out.append(0x20) }
  }

  private mutating func close(_ bracket: UInt8) {
    if !isFirst { newline(indent.map { $0 - 1 }) }
    out.append(bracket)
  }

  private mutating func newline(_ depth: Int?) {
    guard let depth else { return }
    out.append(0x0A)
    for _ in 0..<depth {
      out.append(0x20)
      out.append(0x20)
    }
  }

  private mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { out.append(contentsOf: $0) }
  }

  private mutating func append(_ number: Int) {
    var rest = number.magnitude
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var place = digits.count
      repeat {
        place -= 1
        digits[place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      if number < 0 { out.append(0x2D) }
      out.append(contentsOf: UnsafeBufferPointer(rebasing: digits[place...]))
    }
  }
}
