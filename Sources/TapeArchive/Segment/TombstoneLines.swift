internal import TapeTypes

/// A tombstone's lines in a block's head: `# <id> <start> erased <erased at> <leaf hash>`, and `kept <JSON>` where
/// something of its usage was kept.
enum TombstoneLines {
  static func append(_ tombstone: Tombstone, to head: inout [UInt8]) {
    let leaf = Hex.string(tombstone.leafHash)
    head += Array("# \(tombstone.id) \(tombstone.startedAtNs) erased \(tombstone.erasedAtNs) \(leaf)\n".utf8)
    if let kept = tombstone.kept { head += Array("kept ".utf8) + kept + [0x0A] }
  }

  /// - Parameter value: the first line behind `# `.
  /// - Returns: nil for the line of a call.
  static func parse(_ value: ArraySlice<UInt8>) -> Tombstone? {
    let parts = value.split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 5, parts[2].elementsEqual("erased".utf8),
      let id = CallID(String(decoding: parts[0], as: UTF8.self)),
      let started = Int64(String(decoding: parts[1], as: UTF8.self)),
      let erased = Int64(String(decoding: parts[3], as: UTF8.self)), let leaf = Hex.bytes(parts[4]), leaf.count == 32
    else { return nil }
    return Tombstone(id: id, startedAtNs: started, leafHash: leaf, erasedAtNs: erased)
  }
}
