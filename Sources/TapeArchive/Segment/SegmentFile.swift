internal import CZstd
internal import TapeTypes

/// An open segment: its frames by the seek table. Total on any bytes.
final class SegmentFile {
  struct Frame {
    var offset: Int
    var size: Int
    /// 0 for a skippable frame.
    var content: Int
  }

  let store: Store
  let name: String
  private let descriptor: Int32
  private(set) var frames: [Frame] = []
  /// What is wrong with the seek table, if that had to be done without.
  private(set) var problem: String?
  private(set) var coding: any BlockCoding = LiteralCoding()
  /// The zstd level that it says it has; nil where it does not.
  private(set) var level: Int?
  private let decompressor: ZstdDecompressor
  /// The frame behind the index that has the CRC32C of every frame before it; nil in files of the first programs.
  private var sumsFrame: Frame?
  /// Once loaded, every frame is compared with its own before anything else is done with it.
  private var sums: [UInt32]?

  /// A part of the file that was read in one go.
  private var window: (offset: Int, bytes: [UInt8])?

  /// The parts of each block, one frame each.
  private var roles: [EncodedBlock.Role] { type(of: coding).roles }
  private var framesPerBlock: Int { roles.count }

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
    do {
      do {
        try readStart()
      } catch let error where error is BlockError || error is ZstdError {
        try readWithoutStart(error)
        return
      }
      do {
        try readSeekTable()
      } catch let error as BlockError {
        problem = "\(error)"
        try findFrames()
      }
    } catch {
      throw wrapped(error)
    }
  }

  /// Only the block that begins at this offset, in one read: a block's frames tell their sizes themselves.
  ///
  /// - Throws: `BlockError` and others if no block begins there.
  private init(store: Store, name: String, blockAt offset: Int) throws {
    self.store = store
    self.name = name
    descriptor = try store.files.open(store.archivePath + "/" + name, .read)
    decompressor = try ZstdDecompressor()
    try readStart()
    let end = try store.files.size(descriptor)
    var wanted = Self.usualBlock
    while true {
      guard offset > 0, offset < end else { throw BlockError("no block begins there") }
      let bytes = try store.files.read(descriptor, offset..<min(end, offset + wanted))
      let found = FrameFinder.run(in: bytes, count: framesPerBlock)
      if FrameFinder.isBlock(found[...], roles) {
        frames += found.map { Frame(offset: offset + $0.frame.offset, size: $0.frame.size, content: $0.frame.content) }
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

  // MARK: Shape

  /// The explaining text says version and coding.
  private func readStart() throws {
    let size = try store.files.size(descriptor)
    let start = try store.files.read(descriptor, 0..<min(size, 16 << 10))
    let frameSize = start.withUnsafeBytes { ZSTD_findFrameCompressedSize($0.baseAddress, $0.count) }
    try Zstd.check(frameSize)
    let text = try decompressor.decompress(Array(start[..<frameSize]), limit: 64 << 10)
    let words = String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self).split(separator: " ")
    guard let magic = words.first, magic.hasPrefix(SegmentFormat.magicName) else {
      throw BlockError("it does not begin as a segment does")
    }
    guard magic == SegmentFormat.magic else {
      throw TapeError(
        .newerVersion,
        "the segment \(store.archivePath)/\(name) is a \(magic), this program knows \(SegmentFormat.magic); "
          + "use a newer tapedeck")
    }
    guard words.count == 2, let known = BlockCodings.all.first(where: { $0.name == words[1] }) else {
      throw TapeError(
        .newerVersion,
        "the segment \(store.archivePath)/\(name) has a block coding that this program does not know "
          + "(\(words.dropFirst().joined(separator: " "))); use a newer tapedeck")
    }
    coding = try known.init()
    level = SegmentFormat.level(in: text)
    frames = [Frame(offset: 0, size: frameSize, content: text.count)]
  }

  /// The first frame is damaged: the seek table tells of the others, and the kinds of a block's frames of its coding.
  private func readWithoutStart(_ error: any Error) throws {
    problem = "its first frame: \(error)"
    for known in BlockCodings.all.reversed() {
      coding = try known.init()
      frames = []
      guard (try? readSeekTable()) != nil else { continue }
      let magics = try (0..<min(framesPerBlock, frames.count - 2)).map { index -> UInt32? in
        var start = ByteReader(
          try store.files.read(descriptor, frames[1 + index].offset..<(frames[1 + index].offset + 4)))
        return start.uint32()
      }
      if zip(magics, roles).allSatisfy({ $0 == $1.skippableMagic ?? SegmentFormat.zstdMagic }) { return }
    }
    throw error
  }

  private func readSeekTable() throws {
    let size = try store.files.size(descriptor)
    guard size >= 17 else { throw BlockError("it is too short for a seek table") }
    var footer = ByteReader(try store.files.read(descriptor, (size - 9)..<size))
    guard let count = footer.uint32().map(Int.init), footer.take(1) == [0],
      footer.uint32() == SegmentFormat.seekFooterMagic,
      count >= 2, count <= SegmentFormat.mostZstdFrames, count * 8 + 17 <= size
    else { throw BlockError("its seek table does not end as one does") }
    let start = size - 17 - count * 8
    var table = ByteReader(try store.files.read(descriptor, start..<(size - 9)))
    guard table.uint32() == SegmentFormat.seekTableMagic, table.uint32().map(Int.init) == count * 8 + 9 else {
      throw BlockError("its seek table does not begin as one does")
    }
    var all: [Frame] = []
    var offset = 0
    for _ in 0..<count {
      guard let size = table.uint32(), let content = table.uint32() else { throw BlockError("its seek table is short") }
      all.append(Frame(offset: offset, size: Int(size), content: Int(content)))
      offset += Int(size)
    }
    let sums = (count - 3) % framesPerBlock == 0 && count > 2 ? all.removeLast() : nil
    guard offset == start, (all.count - 2) % framesPerBlock == 0,
      frames.first.map({ $0.size == all[0].size && $0.content == all[0].content }) ?? true
    else { throw BlockError("its seek table does not fit its frames") }
    frames = all
    sumsFrame = sums
  }

  /// Without a seek table: goes from frame to frame, and takes those that stand together as the frames of a block do.
  private func findFrames() throws {
    let size = try store.files.size(descriptor)
    guard size <= SegmentFormat.largestFrame else { throw BlockError("it is too large to be read without one") }
    let found = FrameFinder.frames(in: try store.files.read(descriptor, 0..<size), from: frames[0].size)
    var index = Frame(offset: size, size: 0, content: 0)
    var next = 0
    while next < found.count {
      let group = found[next...].prefix(framesPerBlock)
      if FrameFinder.isBlock(group, roles) {
        frames += group.map(\.frame)
        next += framesPerBlock
      } else {
        if found[next].magic == nil { index = found[next].frame }
        next += 1
      }
    }
    // The last zstd frame that is no block's.
    frames.append(index)
  }

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

  func index() throws -> SegmentIndex {
    let index = try SegmentIndex(try indexText())
    guard problem != nil || index.entries.allSatisfy({ block(at: $0.blockOffset) != nil }) else {
      throw BlockError("its index names blocks that are not there")
    }
    return index
  }

  /// What the heads of the blocks say, as far as they can be read: instead of the index.
  func entriesOfHeads() -> [SegmentEntry] {
    (0..<blockCount).flatMap { block -> [SegmentEntry] in
      guard let head = try? zstd(1 + block * framesPerBlock) else { return [] }
      return (try? coding.entries(head: head, blockOffset: blockOffset(block))) ?? []
    }
  }

  func items(inBlock block: Int, only id: CallID? = nil) throws -> [SegmentItem] {
    try coding.decode(try encoded(block), only: id)
  }

  /// All of a block, with the hashes of responses that decoding needed anyway.
  func hashedItems(inBlock block: Int) throws -> [HashedItem] { try coding.decodeHashed(try encoded(block)) }

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
    let first = 1 + block * framesPerBlock
    return try coding.outlines(head: zstd(first), text: zstd(first + 1))
  }

  /// Compares the skippable frames of a block with their checksums.
  func checkSkippable(inBlock block: Int) throws {
    for (index, role) in roles.enumerated() {
      if let magic = role.skippableMagic { _ = try skippable(1 + block * framesPerBlock + index, magic) }
    }
  }

  /// The bytes of one frame as they are in the file.
  private func bytes(_ index: Int) throws -> ArraySlice<UInt8> {
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

  private static func skippable(_ bytes: ArraySlice<UInt8>, _ magic: UInt32) throws -> [UInt8] {
    var reader = ByteReader(Array(bytes.prefix(12)))
    let content = bytes.dropFirst(12)
    guard bytes.count >= 12, reader.uint32() == magic, reader.uint32().map(Int.init) == bytes.count - 8,
      let crc = reader.uint32(), crc == CRC32C.of(content)
    else { throw BlockError("a frame that zstd skips is not what was written") }
    return Array(content)
  }

  // MARK: Every byte

  /// From now on every frame is compared with its checksum as it is read. Checks at once what belongs to no block:
  /// the first frame, the index, the checksums, and the seek table, to their last bits.
  ///
  /// - Returns: false if the file has no checksums, which those of the first programs have not.
  /// - Throws: `BlockError` and others, at the first byte that is not what was written.
  func checkFrames() throws -> Bool {
    for (index, frame) in frames.enumerated() {
      let start = try store.files.read(descriptor, frame.offset..<(frame.offset + min(frame.size, 18)))
      let content = start.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
      guard frame.content == Int(clamping: content) else {
        throw BlockError("its seek table does not fit frame \(index)")
      }
    }
    guard let frame = sumsFrame else { return false }
    guard frame.content == 0 else { throw BlockError("its seek table does not fit its checksums") }
    let bytes = try store.files.read(descriptor, frame.offset..<(frame.offset + frame.size))
    var reader = ByteReader(try Self.skippable(bytes[...], SegmentFormat.sumsMagic))
    let read = frames.compactMap { _ in reader.uint32() }
    guard read.count == frames.count, reader.isAtEnd else { throw BlockError("its checksums do not fit its frames") }
    sums = read
    _ = try self.bytes(0)
    _ = try self.bytes(frames.count - 1)
    return true
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
