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
  /// nil where the index does not say it.
  package var leaf: MerkleHash?
  /// The call was erased: a tombstone stands in its place.
  package var isErased: Bool

  package init(
    id: CallID, startedAtNs: Int64, blockOffset: Int, frames: Int, bytes: Int, leafHash: [UInt8]? = nil, isErased: Bool
  ) {
    self.id = id
    self.startedAtNs = startedAtNs
    self.blockOffset = blockOffset
    self.frames = frames
    self.bytes = bytes
    self.leaf = leafHash.flatMap { MerkleHash($0) }
    self.isErased = isErased
  }

  /// 32 bytes; nil where the index does not say it.
  package var leafHash: [UInt8]? { leaf?.bytes }
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
  /// Its place in the store's tree; nil in segments that do not say it.
  var place: TreePlace?
  var entries: [SegmentEntry] = []

  init(place: TreePlace?) { self.place = place }

  var text: [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(2048 + entries.count * 150)
    if let place { text += Array(place.line(count: entries.count).utf8) }
    text += Array("# id start-ns block frames bytes leaf-hash\n".utf8)
    for entry in entries {
      let size = entry.isErased ? "- -" : "\(entry.frames) \(entry.bytes)"
      let leaf = entry.leaf?.description ?? ""
      text += Array("\(entry.id) \(entry.startedAtNs) \(entry.blockOffset) \(size) \(leaf)\n".utf8)
    }
    return text
  }

  /// Total: throws on what is no index, whatever the bytes.
  init(_ text: [UInt8]) throws {
    var stated: Int?
    try TextLines.forEach(text) { line in
      guard line.first != 0x23 else {
        guard let (place, count) = TreePlace.parse(line) else { return }
        guard self.place == nil else { throw BlockError("its index has two places in the tree") }
        (self.place, stated) = (place, count)
        return
      }
      entries.append(try Self.entry(line))
    }
    guard stated == nil || stated == entries.count, place == nil || entries.allSatisfy({ $0.leaf != nil }) else {
      throw BlockError("its index has not the entries that it states")
    }
  }

  /// Place and number of entries, from the first line if that has them. Of the entries nothing is looked at but how
  /// many there are: that line alone could say anything.
  static func start(_ text: [UInt8]) throws -> (place: TreePlace?, count: Int) {
    let first = text.prefix { $0 != 0x0A }
    if let (place, count) = first.withUnsafeBytes({ TreePlace.parse($0) }) {
      var entries = 0
      try TextLines.forEach(text) { if $0.first != 0x23 { entries += 1 } }
      guard entries == count else { throw BlockError("its index has not the entries that it states") }
      return (place, count)
    }
    return (nil, try SegmentIndex(text).entries.count)
  }

  private static func entry(_ line: UnsafeRawBufferPointer) throws -> SegmentEntry {
    var fields = JournalFields(line)
    guard let id = fields.callID(), let started = fields.int(), let offset = fields.count() else {
      throw BlockError("its index")
    }
    var entry = SegmentEntry(
      id: id, startedAtNs: Int64(started), blockOffset: offset, frames: 0, bytes: 0, isErased: false)
    var sizes = fields
    if let frames = sizes.count(), let bytes = sizes.count() {
      (entry.frames, entry.bytes) = (frames, bytes)
      fields = sizes
    } else {
      guard fields.text().elementsEqual([0x2D]), fields.text().elementsEqual([0x2D]) else {
        throw BlockError("its index")
      }
      entry.isErased = true
    }
    let hex = fields.text()
    if !hex.isEmpty {
      entry.leaf = MerkleHash(hex: hex)
      guard entry.leaf != nil else { throw BlockError("its index") }
    }
    guard fields.text().isEmpty, !entry.isErased || entry.leaf != nil else { throw BlockError("its index") }
    return entry
  }
}

/// The lines of a text that is bytes.
enum TextLines {
  /// Each line without its line feed; empty ones are left out.
  static func forEach(_ text: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try text.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
        if end > start { try body(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
        start = end + 1
      }
    }
  }
}
