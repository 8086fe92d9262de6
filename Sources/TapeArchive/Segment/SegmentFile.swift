internal import TapeTypes

/// An open segment: its frames by the seek table, or searched for where that is damaged. Total on any bytes.
final class SegmentFile {
  struct Frame: Equatable {
    var offset: Int
    var size: Int
    /// 0 for a skippable frame.
    var content: Int

    var range: Range<Int> { offset..<(offset + size) }
  }

  let store: Store
  let name: String
  let descriptor: Int32
  let decompressor: ZstdDecompressor
  /// The explaining text, the frames of each block, the index.
  var frames: [Frame] = []
  /// What is wrong with its first frame and its seek table, if they had to be done without.
  var problem: String?
  var coding: any BlockCoding = LiteralCoding()
  /// The zstd level that it says it has; nil where it does not.
  var level: Int?
  /// The frame behind the index that has the CRC32C of every frame before it; nil in files of the first programs.
  var sumsFrame: Frame?
  /// Once loaded, every frame is compared with its own before anything else is done with it.
  var sums: [UInt32]?
  /// Where it had to be searched for its frames: what lies between them and is none.
  var strays: [Range<Int>] = []

  /// A part of the file that was read in one go.
  private var window: (offset: Int, bytes: [UInt8])?

  /// The parts of each block, one frame each.
  var roles: [EncodedBlock.Role] { type(of: coding).roles }
  var framesPerBlock: Int { roles.count }

  init(store: Store, name: String) throws {
    self.store = store
    self.name = name
    do {
      descriptor = try store.files.open(store.archivePath + "/" + name, .read)
    } catch {
      throw TapeError(
        error.isMissing ? .notFound : .io, "cannot open the segment \(store.archivePath)/\(name): \(error.reason)")
    }
    decompressor = try ZstdDecompressor()
    do { try readShape() } catch { throw wrapped(error) }
  }

  /// Only the block that begins at this offset, in one read of the file: a block's frames tell their sizes themselves,
  /// and their kinds the coding. What the first frame says was looked at when the offset came into a catalogue.
  ///
  /// - Throws: `BlockError` and others if no block begins there.
  private init(store: Store, name: String, blockAt offset: Int) throws {
    self.store = store
    self.name = name
    descriptor = try store.files.open(store.archivePath + "/" + name, .read)
    decompressor = try ZstdDecompressor()
    let end = try store.files.size(descriptor)
    var wanted = Self.usualBlock
    while true {
      guard offset > 0, offset < end else { throw BlockError("no block begins there") }
      let bytes = try store.files.read(descriptor, offset..<min(end, offset + wanted))
      var finder = FrameFinder(bytes)
      let found = try finder.run(count: EncodedBlock.Role.allCases.count)
      let known = BlockCodings.all.first { FrameFinder.isBlock(found.prefix($0.roles.count), $0.roles) }
      if let known {
        coding = try known.init()
        frames = [Frame(offset: 0, size: offset, content: 0)]
        frames += found.prefix(framesPerBlock).map {
          Frame(offset: offset + $0.frame.offset, size: $0.frame.size, content: $0.frame.content)
        }
        frames.append(Frame(offset: end, size: 0, content: 0))
        window = (offset, bytes)
        return
      }
      guard offset + wanted < end, wanted <= SegmentFormat.largestFrame else {
        throw BlockError("no block begins there")
      }
      wanted *= 4
    }
  }

  /// Few blocks are larger.
  private static let usualBlock = 1 << 20

  /// The call at an offset that a catalogue gave, without a look at the rest of the file; nil if that does not do, for
  /// whatever reason.
  static func quickly(store: Store, name: String, at offset: Int, id: CallID) -> RecordedCall? {
    guard let file = try? SegmentFile(store: store, name: name, blockAt: offset) else { return nil }
    return (try? file.items(inBlock: 0, only: id))?.first?.call
  }

  deinit { store.files.close(descriptor) }

  func corrupt(_ what: String) -> TapeError {
    TapeError(.corrupt, "the segment \(store.archivePath)/\(name) is damaged: \(what)")
  }

  /// Any error of reading as one for people.
  func wrapped(_ error: any Error) -> TapeError {
    if let error = error as? TapeError { return error }
    guard let error = error as? FileError else { return corrupt("\(error)") }
    return unreadable(error.reason)
  }

  func unreadable(_ why: String) -> TapeError {
    TapeError(.io, "cannot read the segment \(store.archivePath)/\(name): \(why)")
  }

  func size() throws -> Int { try store.files.size(descriptor) }

  var blockCount: Int { (frames.count - 2) / framesPerBlock }

  func blockOffset(_ block: Int) -> Int { frames[1 + block * framesPerBlock].offset }

  /// The block that starts at this offset of the file.
  func block(at offset: Int) -> Int? {
    let index = frames.partitioningIndex { $0.offset >= offset }
    guard index < frames.count - 1, frames[index].offset == offset, index >= 1, (index - 1) % framesPerBlock == 0
    else { return nil }
    return (index - 1) / framesPerBlock
  }

  // MARK: Content

  /// Ids and leaf hashes are random: a fifth of the text is as short as it gets, so nothing honest claims much more.
  func indexText() throws -> [UInt8] {
    try zstd(frames.count - 1, limit: min(SegmentFormat.largestFrame, 1 << 20 + 64 * frames[frames.count - 1].size))
  }

  /// The same, nil unless the file is whole as far as can be told without reading its blocks.
  func soundIndexText() throws -> [UInt8]? { problem == nil ? try indexText() : nil }

  func index() throws -> SegmentIndex {
    let index = try SegmentIndex(try indexText())
    guard problem != nil || index.entries.allSatisfy({ block(at: $0.blockOffset) != nil }) else {
      throw BlockError("its index names blocks that are not there")
    }
    return index
  }

  /// What the heads of the blocks say, as far as they can be read: instead of the index.
  func entriesOfHeads() -> [SegmentEntry] {
    (0..<blockCount).flatMap { entriesOfHead($0) }
  }

  private func entriesOfHead(_ block: Int) -> [SegmentEntry] {
    guard let head = try? zstd(1 + block * framesPerBlock) else { return [] }
    return (try? coding.entries(head: head, blockOffset: blockOffset(block))) ?? []
  }

  /// The entries of an index, each with the block that has it. Where bytes were lost or put in, blocks are not where
  /// the index says: then their heads tell.
  func placed(_ entries: [SegmentEntry]) -> [SegmentEntry] {
    let named = Set(entries.map(\.blockOffset))
    guard !named.allSatisfy({ block(at: $0) != nil }) else { return entries }
    var found: [CallID: Int] = [:]
    for block in 0..<blockCount where !named.contains(blockOffset(block)) {
      for entry in entriesOfHead(block) { found[entry.id] = entry.blockOffset }
    }
    return entries.map { entry in
      guard block(at: entry.blockOffset) == nil, let offset = found[entry.id] else { return entry }
      var entry = entry
      entry.blockOffset = offset
      return entry
    }
  }

  func items(inBlock block: Int, only id: CallID? = nil) throws -> [SegmentItem] {
    try coding.decode(try encoded(block), only: id)
  }

  /// All of a block, with the hashes of responses that decoding needed anyway.
  func hashedItems(inBlock block: Int) throws -> [HashedItem] {
    var items: [HashedItem] = []
    try forEachItem(inBlock: block) { items.append($0) }
    return items
  }

  /// The same, without having more of them in memory than one.
  func forEachItem(inBlock block: Int, _ body: (HashedItem) throws -> Void) throws {
    try coding.forEachItem(try encoded(block), body)
  }

  private func encoded(_ block: Int) throws -> EncodedBlock {
    let first = 1 + block * framesPerBlock
    var position = first
    var encoded = try EncodedBlock(roles) { role in
      defer { position += 1 }
      if let magic = role.skippableMagic { return try skippable(position, magic) }
      return try zstd(position)
    }
    encoded.storedBytes = frames[first..<position].reduce(0) { $0 + $1.size }
    return encoded
  }

  /// The frames of a block as they lie in the file, damaged or not, with what the seek table says of their content,
  /// and the checksums that they should have: nil unless `checkFrames` found some.
  func rawFrames(ofBlock block: Int) throws -> [(bytes: [UInt8], content: Int, sum: UInt32?)] {
    let first = 1 + block * framesPerBlock
    return try (first..<(first + framesPerBlock)).map { index in
      let frame = frames[index]
      let bytes = try store.files.read(descriptor, frame.offset..<(frame.offset + frame.size))
      guard bytes.count == frame.size else { throw BlockError("it ends early") }
      return (bytes, frame.content, sums.flatMap { index < $0.count ? $0[index] : nil })
    }
  }

  /// nil if the coding has none.
  func outlines(inBlock block: Int) throws -> [CallOutline?]? {
    guard let coding = coding as? any OutlineCoding else { return nil }
    let parts = try headAndText(inBlock: block)
    return try coding.outlines(head: parts.head, text: parts.text)
  }

  /// The two zstd frames that a block begins with, in a coding that has them.
  func headAndText(inBlock block: Int) throws -> (head: [UInt8], text: [UInt8]) {
    let first = 1 + block * framesPerBlock
    return (try zstd(first), try zstd(first + 1))
  }

  /// Compares the skippable frames of a block with their checksums.
  func checkSkippable(inBlock block: Int) throws {
    for (index, role) in roles.enumerated() {
      if let magic = role.skippableMagic { _ = try skippable(1 + block * framesPerBlock + index, magic) }
    }
  }

  /// The bytes of one frame as they are in the file.
  func bytes(_ index: Int) throws -> ArraySlice<UInt8> {
    let frame = frames[index]
    guard frame.size <= SegmentFormat.largestFrame else { throw BlockError("a frame of \(frame.size) bytes") }
    if let window, frame.offset >= window.offset, frame.offset + frame.size <= window.offset + window.bytes.count {
      return window.bytes[(frame.offset - window.offset)...].prefix(frame.size)
    }
    let bytes = try store.files.read(descriptor, frame.offset..<(frame.offset + frame.size))
    guard bytes.count == frame.size else { throw BlockError("it ends early") }
    if let sums, index < sums.count, sums[index] != CRC32C.of(bytes) {
      throw BlockError("\(frame.size) bytes at byte \(frame.offset) are not those that were written")
    }
    return bytes[...]
  }

  private func zstd(_ index: Int, limit: Int = SegmentFormat.largestFrame) throws -> [UInt8] {
    // The frame states its size and has a checksum: what the seek table says of its content is for other tools.
    try decompressor.decompress(try bytes(index), limit: limit)
  }

  private func skippable(_ index: Int, _ magic: UInt32) throws -> [UInt8] {
    try Self.skippable(try bytes(index), magic)
  }

  static func skippable(_ bytes: ArraySlice<UInt8>, _ magic: UInt32) throws -> [UInt8] {
    var reader = ByteReader(Array(bytes.prefix(12)))
    let content = bytes.dropFirst(12)
    guard bytes.count >= 12, reader.uint32() == magic, reader.uint32().map(Int.init) == bytes.count - 8,
      let crc = reader.uint32(), crc == CRC32C.of(content)
    else { throw BlockError("a frame that zstd skips is not what was written") }
    return Array(content)
  }
}

extension Array {
  /// The first index whose element satisfies `predicate`, in an array where all that do come last.
  fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
