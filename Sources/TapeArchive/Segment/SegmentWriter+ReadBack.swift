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
  /// Reads the finished file: every byte, every call or tombstone with the leaf hash that it was added with, and blocks
  /// that were copied the same to the byte.
  ///
  /// - Throws: `UnsealableCalls` if it is not so; `TapeError` `.io` where the file cannot be read; what
  ///   `beforeEachBlock` throws.
  func readBack(beforeEachBlock: () throws -> Void = {}) throws {
    do {
      try compareFile(beforeEachBlock)
    } catch let error as TapeError where error.isDamage {
      throw UnsealableCalls([], error.description)
    } catch let error as FileError {
      throw TapeError(.io, "cannot read \(temporaryPath) back: \(error.reason) (\(error.call))")
    }
  }

  private func compareFile(_ beforeEachBlock: () throws -> Void) throws {
    let reader = try SegmentReader(store: store, name: name + ".tmp")
    guard reader.problem == nil, try reader.checkFrames(), reader.entries == index.entries,
      reader.file.blockCount == blockCount
    else { throw UnsealableCalls([], "its parts did not come back as they were written") }
    var named = Dictionary(grouping: reader.entries, by: \.blockOffset)
    for block in 0..<blockCount {
      try beforeEachBlock()
      let expected = named.removeValue(forKey: reader.file.blockOffset(block)) ?? []
      do {
        if let origin = copies[block] {
          let copy = try reader.file.rawFrames(ofBlock: block).map(\.bytes)
          guard try copy == origin() else { throw BlockError("a block did not come back as it was copied") }
        } else {
          try reader.checkItems(inBlock: block, expected)
        }
      } catch let error where error is BlockError || error is ZstdError {
        throw UnsealableCalls(expected.map(\.id), "\(error)")
      }
    }
    guard named.isEmpty else { throw UnsealableCalls([], "it lacks blocks that it should have") }
  }
}
