internal import TapeJSON

/// Bytes that take the place of others.
struct Edit {
  let range: Range<Int>
  let bytes: [UInt8]

  /// Of a JSON text: a string instead of a value.
  init(_ value: JSONSlice, text: String) {
    // The quotes are not part of a string's place.
    range = value.kind == .string ? (value.range.lowerBound - 1)..<(value.range.upperBound + 1) : value.range
    var json: [UInt8] = []
    JSONValue.write(string: text, into: &json)
    bytes = json
  }
}

extension [UInt8] {
  /// - Parameter edits: in the order of their places, which do not overlap.
  func applying(_ edits: [Edit]) -> [UInt8] {
    var out: [UInt8] = []
    var copied = 0
    for edit in edits {
      out += self[copied..<edit.range.lowerBound]
      out += edit.bytes
      copied = edit.range.upperBound
    }
    return out + self[copied...]
  }
}
