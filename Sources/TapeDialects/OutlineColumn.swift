import TapeJSON
import TapeTypes

/// One column of an outline, as far as its values are known.
struct OutlineColumn {
  enum Values {
    /// Every frame has these bytes.
    case known([UInt8])
    /// They are joined; the first that is not empty is in this frame.
    case joined(firstFrame: Int)
    /// They do not matter, and these bytes are as good.
    case any([UInt8])
  }

  let values: Values
  /// The values are no JSON, but the rest of a line.
  let isLine: Bool
  /// The joined values, as they were on the wire.
  private let bytes: [UInt8]

  /// nil if its values matter, and are not known.
  ///
  /// - Parameters:
  ///   - mark: what a text that does not matter may be.
  ///   - fate: tells what becomes of the values at a place in the JSON.
  init?(_ column: CallOutline.Column, mark: [UInt8], fate: (_ path: String) -> FieldFate) {
    bytes = column.bytes
    isLine = column.path.utf8.first == 0x2F
    if column.count == 1 {
      values = .known(column.kind == .number ? column.lastValue : column.bytes)
      return
    }
    if column.kind == .text, column.bytes.isEmpty {
      values = .known([])
      return
    }
    let fate = isLine ? .extra : fate(column.path)
    switch column.kind {
    case .number:
      guard fate == .extra else { return nil }
      values = .any(column.lastValue)
    case .text:
      guard column.isPlain, let first = column.firstFrame else { return nil }
      guard isLine ? OutlineColumn.isInLine(column.bytes) : OutlineColumn.isText(column.bytes) else { return nil }
      switch fate {
      case .joined: values = .joined(firstFrame: first)
      // Escapes could hide a repeat.
      case .joinedOnce where !column.hasRepeat && !column.bytes.contains(0x5C): values = .joined(firstFrame: first)
      case .extra: values = .any(mark)
      case .joinedOnce, .each: return nil
      }
    }
  }

  var isKnown: Bool {
    if case .known = values { true } else { false }
  }

  /// What the joined values say.
  var text: String {
    OutlineColumn.withString(bytes) { cursor, slice in cursor.string(slice) } ?? ""
  }

  /// Whether the values are inside of a JSON string.
  private static func isText(_ bytes: [UInt8]) -> Bool {
    withString(bytes) { _, slice in slice.range.count == bytes.count } ?? false
  }

  private static func isInLine(_ bytes: [UInt8]) -> Bool { !bytes.contains { $0 == 0x0A || $0 == 0x0D } }

  private static func withString<Result>(_ bytes: [UInt8], _ body: (JSONCursor, JSONSlice) -> Result) -> Result? {
    var quoted: [UInt8] = [0x22]
    quoted.reserveCapacity(bytes.count + 2)
    quoted.append(contentsOf: bytes)
    quoted.append(0x22)
    return quoted.withUnsafeBytes { quoted in
      var cursor = JSONCursor(quoted)
      guard let slice = try? cursor.document() else { return nil }
      return body(JSONCursor(quoted), slice)
    }
  }
}
