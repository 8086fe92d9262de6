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
  private let decompressor: ZstdDecompressor

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
      try readStart()
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

  deinit { store.files.close(descriptor) }

  func corrupt(_ what: String) -> TapeError {
    TapeError(.corrupt, "the segment \(store.archivePath)/\(name) is damaged: \(what)")
  }

  /// Any error of reading as one for people.
  func wrapped(_ error: any Error) -> TapeError {
    if let error = error as? TapeError { return error }
    guard let error = error as? FileError else { return corrupt("\(error)") }
    return TapeError(.io, "cannot read the segment \(store.archivePath)/\(name): \(error.reason)")
  }

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
    frames = [Frame(offset: 0, size: frameSize, content: text.count)]
  }

  private func readSeekTable() throws {
    let size = try store.files.size(descriptor)
    guard size >= 17 else { throw BlockError("it is too short for a seek table") }
    var footer = ByteReader(try store.files.read(descriptor, (size - 9)..<size))
    guard let count = footer.uint32().map(Int.init), footer.take(1) == [0],
      footer.uint32() == SegmentFormat.seekFooterMagic,
      count >= 2, count * 8 + 17 <= size
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
    guard offset == start, all[0].size == frames[0].size, all[0].content == frames[0].content,
      (count - 2) % framesPerBlock == 0
    else { throw BlockError("its seek table does not fit its frames") }
    frames = all
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

  func index() throws -> SegmentIndex {
    let index = try SegmentIndex(try zstd(frames[frames.count - 1]))
    guard problem != nil || index.entries.allSatisfy({ block(at: $0.blockOffset) != nil }) else {
      throw BlockError("its index names blocks that are not there")
    }
    return index
  }

  /// What the heads of the blocks say, as far as they can be read: instead of the index.
  func entriesOfHeads() -> [SegmentEntry] {
    (0..<blockCount).flatMap { block -> [SegmentEntry] in
      guard let head = try? zstd(frames[1 + block * framesPerBlock]) else { return [] }
      return (try? coding.entries(head: head, blockOffset: blockOffset(block))) ?? []
    }
  }

  func items(inBlock block: Int, only id: CallID? = nil) throws -> [SegmentItem] {
    let first = 1 + block * framesPerBlock
    var position = first
    let encoded = try EncodedBlock(roles) { role in
      defer { position += 1 }
      if let magic = role.skippableMagic { return try skippable(frames[position], magic) }
      return try zstd(frames[position])
    }
    return try coding.decode(encoded, only: id)
  }

  /// The frames of a block as they lie in the file, with what the seek table says of their content.
  func rawFrames(ofBlock block: Int) throws -> [(bytes: [UInt8], content: Int)] {
    let first = 1 + block * framesPerBlock
    return try frames[first..<(first + framesPerBlock)].map { frame in
      let bytes = try store.files.read(descriptor, frame.offset..<(frame.offset + frame.size))
      guard bytes.count == frame.size else { throw BlockError("it ends early") }
      return (bytes, frame.content)
    }
  }

  /// Bytes of the whole file.
  func size() throws -> Int { try store.files.size(descriptor) }

  /// nil if the coding has none.
  func outlines(inBlock block: Int) throws -> [CallOutline?]? {
    guard let coding = coding as? any OutlineCoding else { return nil }
    let first = 1 + block * framesPerBlock
    return try coding.outlines(head: zstd(frames[first]), text: zstd(frames[first + 1]))
  }

  private func zstd(_ frame: Frame) throws -> [UInt8] {
    let bytes = try store.files.read(descriptor, frame.offset..<(frame.offset + frame.size))
    guard bytes.count == frame.size else { throw BlockError("it ends early") }
    // The frame states its size and has a checksum: what the seek table says of its content is for other tools.
    return try decompressor.decompress(bytes, limit: SegmentFormat.largestFrame)
  }

  private func skippable(_ frame: Frame, _ magic: UInt32) throws -> [UInt8] {
    let bytes = try store.files.read(descriptor, frame.offset..<(frame.offset + frame.size))
    var reader = ByteReader(bytes)
    guard bytes.count == frame.size, frame.size >= 12, reader.uint32() == magic,
      reader.uint32().map(Int.init) == frame.size - 8, let crc = reader.uint32(), crc == CRC32C.of(bytes[12...])
    else { throw BlockError("a frame of times or salts is not what was written") }
    return Array(bytes[12...])
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
