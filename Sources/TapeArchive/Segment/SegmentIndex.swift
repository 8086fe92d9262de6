package import TapeTypes

/// One line of a segment's index.
package struct SegmentEntry: Sendable, Equatable {
  package var id: CallID
  package var startedAtNs: Int64
  /// Offset of the call's block in the file.
  package var blockOffset: Int
  /// 0 for a tombstone, as are the bytes.
  package var frames: Int
  package var bytes: Int
  /// 32 bytes; nil where the index does not say it.
  package var leafHash: [UInt8]?
  /// The call was erased: a tombstone stands in its place.
  package var isErased: Bool
}

extension SegmentEntry {
  init(_ item: SegmentItem, blockOffset: Int, _ leafHash: [UInt8]) {
    self.init(
      id: item.id, startedAtNs: item.startedAtNs, blockOffset: blockOffset, frames: item.call?.frameCount ?? 0,
      bytes: item.call?.raw.count ?? 0, leafHash: leafHash, isErased: item.call == nil)
  }
}

/// The last zstd frame of a segment: where each call is, and its leaf hash, in the order of the store's tree.
struct SegmentIndex {
  /// The place of the first entry in the store's tree; nil in segments that do not say it.
  var firstLeaf: Int?
  var entries: [SegmentEntry] = []

  init(firstLeaf: Int?) { self.firstLeaf = firstLeaf }

  var text: [UInt8] {
    let tree = firstLeaf.map { "# tree \($0)\n" } ?? ""
    var text = Array("\(tree)# id start-ns block frames bytes leaf-hash\n".utf8)
    text.reserveCapacity(entries.count * 150)
    for entry in entries {
      let size = entry.isErased ? "- -" : "\(entry.frames) \(entry.bytes)"
      let leaf = Hex.string(entry.leafHash ?? [])
      text += Array("\(entry.id) \(entry.startedAtNs) \(entry.blockOffset) \(size) \(leaf)\n".utf8)
    }
    return text
  }

  init(_ text: [UInt8]) throws {
    for line in text.split(separator: 0x0A) {
      let words = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
      if line.first == 0x23 {
        if words.count == 3, words[1] == "tree" { firstLeaf = try Self.number(words[2]) }
      } else {
        entries.append(try Self.entry(words))
      }
    }
    guard firstLeaf == nil || entries.allSatisfy({ $0.leafHash != nil }) else { throw BlockError("its index") }
  }

  private static func entry(_ words: [String]) throws -> SegmentEntry {
    guard words.count == 5 || words.count == 6, let id = CallID(words[0]), let started = Int64(words[1]) else {
      throw BlockError("its index")
    }
    let isErased = words.count == 6 && words[3] == "-" && words[4] == "-"
    var entry = SegmentEntry(
      id: id, startedAtNs: started, blockOffset: try number(words[2]), frames: 0, bytes: 0, isErased: isErased)
    if !isErased { (entry.frames, entry.bytes) = (try number(words[3]), try number(words[4])) }
    if words.count == 6 {
      guard let leaf = Hex.bytes(words[5].utf8), leaf.count == 32 else { throw BlockError("its index") }
      entry.leafHash = leaf
    }
    return entry
  }

  private static func number(_ word: String) throws -> Int {
    guard let number = Int(word), number >= 0 else { throw BlockError("its index") }
    return number
  }
}
