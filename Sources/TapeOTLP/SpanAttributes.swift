internal import TapeJSON

typealias KeyValue = Opentelemetry_Proto_Common_V1_KeyValue
typealias AnyValue = Opentelemetry_Proto_Common_V1_AnyValue

/// The attributes of a span; what is not known is left out.
struct SpanAttributes {
  private(set) var list: [KeyValue] = []

  mutating func add(_ key: String, _ value: AnyValue.OneOf_Value?) {
    guard let value else { return }
    var pair = KeyValue()
    pair.key = key
    pair.value.value = value
    list.append(pair)
  }

  mutating func add(_ key: String, _ text: String?) { add(key, text.map { .stringValue($0) }) }
  mutating func add(_ key: String, _ flag: Bool?) { add(key, flag.map { .boolValue($0) }) }
  mutating func add(_ key: String, _ number: Int?) { add(key, number.map { .intValue(Int64($0)) }) }

  mutating func add(_ key: String, double value: JSONValue?) {
    guard case .number(let text)? = value, let number = Double(text), number.isFinite else { return }
    add(key, .doubleValue(number))
  }

  /// Nothing for an empty list.
  mutating func add(_ key: String, _ texts: [String]) {
    guard !texts.isEmpty else { return }
    var list = Opentelemetry_Proto_Common_V1_ArrayValue()
    list.values = texts.map { text in
      var value = AnyValue()
      value.stringValue = text
      return value
    }
    add(key, .arrayValue(list))
  }

  /// A structured value as JSON text, which is what instrumentations put on spans; nothing for an empty list.
  mutating func add(_ key: String, json value: JSONValue) {
    if value.array?.isEmpty ?? value.isNull { return }
    add(key, value.compactString)
  }
}
