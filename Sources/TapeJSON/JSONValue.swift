/// A JSON value that keeps what other parsers lose: numbers as they were written, the
/// order of keys, and duplicate keys (the last one is the one that counts).
///
/// Source: RFC 8259.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The number's own characters, e.g. `1e400` or `10.0`.
  case number(String)
  /// Lone surrogate escapes and invalid UTF-8 read as U+FFFD.
  case string(String)
  case array([JSONValue])
  case object([Member])

  public struct Member: Sendable, Equatable {
    public var key: String
    public var value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }
}

extension JSONValue {
  /// The last member with this key, or nil; nil too when this is no object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  public var string: String? {
    if case .string(let value) = self { return value }
    return nil
  }

  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  public var array: [JSONValue]? {
    if case .array(let value) = self { return value }
    return nil
  }

  public var members: [Member]? {
    if case .object(let value) = self { return value }
    return nil
  }

  public var isNull: Bool { self == .null }

  /// The number as an integer if it is one exactly, also written `10.0` or `1e3`; nil when
  /// it is fractional, does not fit, or is no number.
  public var integer: Int? {
    guard case .number(let text) = self else { return nil }
    return JSONNumber.integer(text.utf8)
  }

  public static func int(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

  public static func string(_ value: String?) -> JSONValue {
    if let value { return .string(value) as JSONValue }
    return .null
  }

  public static func int(_ value: (some BinaryInteger)?) -> JSONValue {
    if let value { return .number(String(value)) }
    return .null
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .number(String(value)) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(elements.map { Member($0, $1) }) }
  public init(nilLiteral: ()) { self = .null }
}

/// Reading JSON numbers without floating point.
public enum JSONNumber {
  /// The value of a JSON number if it is an integer that fits `Int`: `10`, `10.0`, `3e0`, `1.5e1`.
  public static func integer(_ text: some Collection<UInt8>) -> Int? {
    var digits: [UInt8] = []
    var exponent = 0
    var index = text.startIndex
    let negative = index < text.endIndex && text[index] == 0x2D
    if negative { text.formIndex(after: &index) }
    var sawPoint = false
    while index < text.endIndex {
      let byte = text[index]
      text.formIndex(after: &index)
      switch byte {
      case 0x30...0x39:
        digits.append(byte - 0x30)
        if sawPoint { exponent -= 1 }
      case 0x2E where !sawPoint: sawPoint = true
      case 0x65, 0x45:
        guard let power = Int(String(decoding: text[index...], as: UTF8.self)), abs(power) < 10_000 else {
          return digits.allSatisfy { $0 == 0 } ? 0 : nil
        }
        exponent += power
        index = text.endIndex
      default: return nil
      }
    }
    guard !digits.isEmpty else { return nil }
    return assemble(digits, exponent: exponent, negative: negative)
  }

  private static func assemble(_ digits: [UInt8], exponent: Int, negative: Bool) -> Int? {
    var digits = digits[...]
    var exponent = exponent
    while exponent < 0, let last = digits.last, last == 0 {
      digits.removeLast()
      exponent += 1
    }
    digits = digits.drop { $0 == 0 }
    if digits.isEmpty { return 0 }
    guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
    var value = 0
    for digit in digits + [UInt8](repeating: 0, count: exponent) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.subtractingReportingOverflow(Int(digit))
      if overflow || overflow2 { return nil }
      value = sum
    }
    if negative { return value }
    return value == Int.min ? nil : -value
  }
}
