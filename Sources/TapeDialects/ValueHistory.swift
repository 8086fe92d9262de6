/// The distinct values that a field had over a stream, in the order in which they first came, as JSON.
struct ValueHistory: Sendable, Equatable {
  /// A field keeps up to this many.
  static let maximumValues = 1_000
  /// The histories of one call keep up to this many bytes of values.
  static let maximumBytes = 1 << 20

  private(set) var values: [[UInt8]] = []
  /// How often a value came that found no place; perhaps one that had come before.
  private(set) var leftOut = 0
  /// Shares its bytes with `values`.
  private var known: Set<[UInt8]> = []

  /// - Parameter bytes: how many the call's histories have left; the value's are taken off.
  mutating func add(_ value: [UInt8], bytes: inout Int) {
    if known.contains(value) { return }
    guard values.count < ValueHistory.maximumValues, value.count <= bytes else {
      leftOut += 1
      return
    }
    bytes -= value.count
    values.append(value)
    known.insert(value)
  }
}
