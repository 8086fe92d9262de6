internal import TapeTypes

extension SegmentWriter {
  /// Reads the finished file: every byte, every call or tombstone with the leaf hash that it was added with, and blocks
  /// that were copied the same to the byte.
  ///
  /// - Parameter consequence: what is so if it is not, for the error.
  /// - Throws: `TapeError` `.failed`, and what reading throws.
  func readBack(orElse consequence: String) throws {
    let reader = try SegmentReader(store: store, name: name + ".tmp")
    guard reader.problem == nil, try reader.checkFrames(), reader.entries == index.entries,
      reader.file.blockCount == blockCount
    else {
      throw TapeError(.failed, "\(name) did not come back as it was written; \(consequence)")
    }
    var number = 0
    try reader.forEachBlock {
      throw reader.file.corrupt("\($0)")
    } _: { block, location, expected in
      defer { number += 1 }
      if let origin = copies[block] {
        guard try reader.file.rawFrames(ofBlock: block).map(\.bytes) == origin() else {
          throw TapeError(.failed, "a part of \(name) did not come back as it was copied; \(consequence)")
        }
        return
      }
      var next = expected[...]
      try reader.forEachItem(inBlock: block, location, expected) {
        throw reader.file.corrupt("\($0)")
      } _: { item, _, leaf in
        guard let entry = next.popFirst(), entry.id == item.id, entry.leafHash == leaf else {
          throw TapeError(.failed, "call \(item.id) did not come back from \(name) as it was; \(consequence)")
        }
      }
      guard next.isEmpty else { throw TapeError(.failed, "\(name) lacks calls that it should have; \(consequence)") }
    }
    guard number == blockCount else {
      throw TapeError(.failed, "\(name) lacks blocks that it should have; \(consequence)")
    }
  }
}
