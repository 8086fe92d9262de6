internal import TapeTypes

extension SegmentWriter {
  /// Reads the finished file: every byte, every call or tombstone with the leaf hash that it was added with, and blocks
  /// that were copied the same to the byte.
  ///
  /// - Parameter consequence: what is so if it is not, for the error.
  /// - Throws: `TapeError` `.failed`, or `.io` where it cannot be read.
  func readBack(orElse consequence: String) throws {
    let failure = "\(name) did not come back as it was written; \(consequence)"
    do { try readBack(failure) } catch let error as TapeError where error.code == .corrupt {
      throw TapeError(.failed, "\(failure): \(error)")
    } catch let error as FileError {
      throw TapeError(.io, "cannot read \(temporaryPath) back: \(error.reason); \(consequence)")
    }
  }

  private func readBack(_ failure: String) throws {
    let reader = try SegmentReader(store: store, name: name + ".tmp")
    guard reader.problem == nil, try reader.checkFrames(), reader.entries == index.entries,
      reader.file.blockCount == blockCount
    else { throw TapeError(.failed, failure) }
    var named = Dictionary(grouping: reader.entries, by: \.blockOffset)
    for block in 0..<blockCount {
      let expected = named.removeValue(forKey: reader.file.blockOffset(block)) ?? []
      if let origin = copies[block] {
        let copy = try reader.file.rawFrames(ofBlock: block).map(\.bytes)
        guard try copy == origin() else { throw TapeError(.failed, failure) }
      } else {
        try readBack(expected, inBlock: block, of: reader, failure)
      }
    }
    guard named.isEmpty else { throw TapeError(.failed, failure) }
  }

  private func readBack(
    _ expected: [SegmentEntry], inBlock block: Int, of reader: SegmentReader, _ failure: String
  ) throws {
    let items: [HashedItem]
    do { items = try reader.items(inBlock: block, expected) } catch let error where !(error is FileError) {
      throw TapeError(.failed, "\(failure): \(error)")
    }
    for (hashed, entry) in zip(items, expected) where hashed.leafHash != entry.leafHash {
      throw TapeError(.failed, "\(failure): call \(entry.id) is another")
    }
  }
}
