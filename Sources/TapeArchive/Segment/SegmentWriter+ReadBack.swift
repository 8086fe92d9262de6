internal import TapeTypes

/// Calls that cannot be sealed, and why: they stay where they are, and others are sealed without them.
struct UnsealableCalls: Error, CustomStringConvertible {
  /// Some of these are to blame; all of the segment's where that is empty.
  var ids: [CallID]
  var description: String

  init(_ ids: [CallID], _ description: String) {
    self.ids = ids
    self.description = description
  }
}

extension SegmentWriter {
  /// Reads the finished file: every byte, and every call has to have the leaf hash that it was added with.
  ///
  /// - Throws: `UnsealableCalls` if it has not; `TapeError` `.io`.
  func readBack() throws {
    var next = 0
    let leaves = leaves
    do {
      let reader = try SegmentReader(store: store, name: name + ".tmp")
      try reader.forEachItem { damage in
        throw UnsealableCalls(damage.calls, damage.message)
      } _: { item, _, leaf in
        guard next < leaves.count, leaves[next] == leaf else {
          throw UnsealableCalls([item.id], "call \(item.id) did not come back as it was")
        }
        next += 1
      }
    } catch let error as TapeError where error.isDamage {
      throw UnsealableCalls([], error.description)
    }
    guard next == leaves.count else { throw UnsealableCalls([], "it lacks calls that it should have") }
  }
}
