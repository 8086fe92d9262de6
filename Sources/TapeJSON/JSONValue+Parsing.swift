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
    var cursor = JSONCursor(buffer)
    self = try cursor.tree()
    try cursor.expectEnd()
  }

  public init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }
}
