internal import TapeTypes

extension SegmentWriter {
  /// Reads the finished file: every byte, and every call has to have the leaf hash that it was added with.
  ///
  /// - Parameter consequence: what is so if it has not, for the error.
  /// - Throws: `TapeError` `.failed`, and what reading throws.
  func readBack(orElse consequence: String) throws {
    var next = 0
    let leaves = leaves
    let reader = try SegmentReader(store: store, name: name + ".tmp")
    try reader.forEachItem { item, _, leaf in
      guard next < leaves.count, leaves[next] == leaf else {
        throw TapeError(.failed, "call \(item.id) did not come back from \(name) as it was; \(consequence)")
      }
      next += 1
    }
    guard next == leaves.count else {
      throw TapeError(.failed, "\(name) lacks calls that it should have; \(consequence)")
    }
  }
}
