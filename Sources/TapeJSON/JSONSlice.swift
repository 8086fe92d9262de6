/// Where one JSON value lies in the bytes that a `JSONCursor` reads.
package struct JSONSlice: Sendable, Equatable {
  package enum Kind: UInt8, Sendable { case null, `true`, `false`, number, string, array, object }

  package var kind: Kind
  /// A string's bytes between its quotes; of any other value all bytes.
  package var range: Range<Int>
  /// A string with escapes in it.
  package var hasEscapes = false
  /// A string with bytes over 0x7F in it: UTF-8, or not.
  package var hasNonASCII = false

  package init(kind: Kind, range: Range<Int>) {
    self.kind = kind
    self.range = range
  }

  package var isNull: Bool { kind == .null }
}
