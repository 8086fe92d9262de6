internal import TapeTypes

/// Writes one segment to a temporary file, block by block.
final class SegmentWriter {
  let name: String
  let store: Store
  private let descriptor: Int32
  private let heads: ZstdCompressor
  private let texts: ZstdCompressor
  private let noises: ZstdCompressor
  private let level: Int
  private var block = TemplateEncoder()
  private var blockItems: [SegmentEntry] = []
  private var blockBytes = 0
  private var seekTable: [UInt8] = []
  private var frames = 0
  /// CRC32C of each frame as it is in the file.
  private var sums: [UInt8] = []
  private(set) var index: SegmentIndex
  private var isClosed = false
  /// Blocks that are copies, by their number: what their frames have to be.
  private(set) var copies: [Int: () throws -> [[UInt8]]] = [:]
  /// Bytes of the file so far.
  private(set) var size = 0
  /// Bytes of requests and responses in it.
  private(set) var rawBytes = 0
  private(set) var calls = 0
  /// Blocks that were written.
  private(set) var blockCount = 0
  /// Leaf hashes in the order of the file: what reading it back has to give.
  var leaves: [[UInt8]] { (index.entries + blockItems).compactMap(\.leafHash) }

  /// Calls of the block at work.
  var blockCalls: [CallID] { blockItems.map(\.id) }

  var path: String { store.archivePath + "/" + name }
  var temporaryPath: String { path + ".tmp" }

  /// - Parameter place: the place of its first call in the store's tree; nil for what does not say it.
  init(store: Store, name: String, level: Int, place: TreePlace?) throws {
    self.store = store
    self.name = name
    self.level = level
    heads = try ZstdCompressor(level: level, for: .ids)
    texts = try ZstdCompressor(level: level, for: .text)
    noises = try ZstdCompressor(level: level, for: .noise)
    index = SegmentIndex(place: place)
    let path = store.archivePath + "/" + name + ".tmp"
    if try store.files.status(path) != nil { try store.files.unlink(path) }
    descriptor = try store.files.open(path, .create)
    let text = SegmentFormat.start(coding: TemplateCoding.name, level: level)
    try add(zstd: Array(text.utf8), heads)
  }

  deinit { if !isClosed { store.files.close(descriptor) } }

  /// - Parameter rawHash: SHA-256 of a call's response as somebody says it is: hashing takes as long as much of the rest,
  ///   and reading the segment back does it anyway.
  func add(_ item: SegmentItem, rawHash: [UInt8]? = nil) throws {
    let bytes = item.blockBytes
    if blockItems.count == SegmentFormat.callsPerBlock || block.textBytes >= SegmentFormat.textPerBlock
      || !blockItems.isEmpty && blockBytes + bytes > SegmentFormat.bytesPerBlock
    {
      try closeBlock()
    }
    switch item {
    case .tombstone(let tombstone):
      block.add(tombstone)
      blockItems.append(SegmentEntry(item, blockOffset: size, tombstone.leafHash))
    case .call(let call):
      let hashes = LeafParts(of: call, rawHash: rawHash)
      block.add(call, rawHash: hashes.raw)
      blockItems.append(SegmentEntry(item, blockOffset: size, hashes.leaf))
    }
    blockBytes += bytes
    rawBytes += item.rawBytes
    calls += 1
  }

  /// Writes the block at work, so that the next call begins another.
  func closeBlock() throws {
    guard !blockItems.isEmpty else { return }
    index.entries += blockItems
    blockCount += 1
    let text = block.isNoisy ? noises : texts
    let encoded = try block.finish()
    for role in TemplateCoding.roles {
      if let magic = role.skippableMagic {
        try add(skippable: magic, encoded[role])
      } else {
        try add(zstd: encoded[role], role == .head ? heads : text)
      }
    }
    block = TemplateEncoder()
    blockItems.removeAll()
    blockBytes = 0
  }

  /// Takes over a block of another segment of the same coding, byte for byte.
  ///
  /// - Parameter isWhole: it was read, or its checksums are those of what was written at first. Damage stays what it
  ///   is, and is seen as such.
  func copy(block: Int, of file: SegmentFile, _ entries: [SegmentEntry], isWhole: Bool) throws {
    let origin = { try file.rawFrames(ofBlock: block).map(\.bytes) }
    try copy(entries, from: origin) {
      for frame in try file.rawFrames(ofBlock: block) {
        let sum = CRC32C.of(frame.bytes)
        try add(frame.bytes, content: frame.content, sum: frame.sum ?? (isWhole ? sum : ~sum))
      }
    }
  }

  /// Takes over bytes of another segment that are no block, in the place of one: nobody can read them, nothing of them
  /// is lost, and what the index names there is seen to be damaged.
  func copy(stray range: Range<Int>, of file: SegmentFile, _ entries: [SegmentEntry]) throws {
    // Of a frame that nothing is left of, something has to lie there.
    let bytes = try range.isEmpty ? SegmentFormat.emptyFrame : store.files.read(file.descriptor, range)
    guard bytes.count <= SegmentFormat.largestFrame else {
      throw BlockError("\(bytes.count) bytes from byte \(range.lowerBound) on are no block")
    }
    let rest = [[UInt8]](repeating: SegmentFormat.emptyFrame, count: TemplateCoding.roles.count - 1)
    try copy(entries, from: { [bytes] + rest }) {
      for frame in [bytes] + rest { try add(frame, content: 0, sum: ~CRC32C.of(frame)) }
    }
  }

  private func copy(
    _ entries: [SegmentEntry], from origin: @escaping () throws -> [[UInt8]], _ write: () throws -> Void
  ) throws {
    try closeBlock()
    copies[blockCount] = origin
    blockCount += 1
    for var entry in entries {
      entry.blockOffset = size
      index.entries.append(entry)
      calls += 1
    }
    try write()
  }

  /// Writes what is left, index and seek table, and syncs.
  func finish() throws {
    try closeBlock()
    // It is small, and half of it are hashes: what a higher level finds in it are not matches by chance.
    try add(zstd: index.text, try ZstdCompressor(level: max(level, 13)))
    try add(skippable: SegmentFormat.sumsMagic, sums)
    var table: [UInt8] = []
    table.append(uint32: SegmentFormat.seekTableMagic)
    table.append(uint32: UInt32(seekTable.count + 9))
    table += seekTable
    table.append(uint32: UInt32(frames))
    table.append(0)
    table.append(uint32: SegmentFormat.seekFooterMagic)
    try write(table)
    try store.files.sync(descriptor)
    store.files.close(descriptor)
    isClosed = true
  }

  /// Removes what was written.
  func discard() {
    if !isClosed { store.files.close(descriptor) }
    isClosed = true
    try? store.files.unlink(temporaryPath)
  }

  private func add(zstd bytes: [UInt8], _ compressor: ZstdCompressor) throws {
    guard bytes.count <= SegmentFormat.largestFrame else {
      throw BlockError("\(bytes.count) bytes of text are more than a segment takes in one piece")
    }
    try add(try compressor.compress(bytes), content: bytes.count)
  }

  /// Magic, size, CRC32C of the content, content: zstd checks nothing in a frame that it skips.
  private func add(skippable magic: UInt32, _ bytes: [UInt8]) throws {
    var frame: [UInt8] = []
    frame.append(uint32: magic)
    frame.append(uint32: UInt32(bytes.count + 4))
    frame.append(uint32: CRC32C.of(bytes))
    frame += bytes
    try add(frame, content: 0)
  }

  private func add(_ frame: [UInt8], content: Int, sum: UInt32? = nil) throws {
    try write(frame)
    seekTable.append(uint32: UInt32(frame.count))
    seekTable.append(uint32: UInt32(content))
    sums.append(uint32: sum ?? CRC32C.of(frame))
    frames += 1
  }

  private func write(_ bytes: [UInt8]) throws {
    try store.files.writeAll(descriptor, bytes)
    size += bytes.count
  }
}
