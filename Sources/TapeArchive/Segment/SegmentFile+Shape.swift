internal import CZstd
internal import TapeTypes

/// Where the frames of a segment are: its seek table says so; without one they are searched for.
extension SegmentFile {
  func readShape() throws {
    var wrong: [String] = []
    do {
      try readStart()
    } catch let error where error is BlockError || error is ZstdError {
      wrong.append("its first frame: \(error)")
    }
    do {
      if wrong.isEmpty { try readSeekTable() } else { try readSeekTableAlone() }
    } catch let error as BlockError {
      wrong.append("\(error)")
      try findFrames(isStarted: wrong.count == 1)
      guard wrong.count == 1 || blockCount > 0 else { throw BlockError(wrong.joined(separator: "; ")) }
    }
    if !wrong.isEmpty { problem = wrong.joined(separator: "; ") }
  }

  /// The explaining text says version and coding.
  func readStart() throws {
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
  private func readSeekTableAlone() throws {
    var problem = BlockError("its seek table does not fit its frames")
    for known in BlockCodings.all {
      coding = try known.init()
      frames = []
      do {
        try readSeekTable()
        let magics = try (0..<min(framesPerBlock, frames.count - 2)).map { index -> UInt32? in
          var start = ByteReader(
            try store.files.read(descriptor, frames[1 + index].offset..<(frames[1 + index].offset + 4)))
          return start.uint32()
        }
        if zip(magics, roles).allSatisfy({ $0 == $1.skippableMagic ?? SegmentFormat.zstdMagic }) { return }
      } catch let error as BlockError {
        problem = error
      }
    }
    frames = []
    throw problem
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
  ///
  /// - Parameter isStarted: the explaining text was read, and is the only frame that is known.
  private func findFrames(isStarted: Bool) throws {
    let size = try store.files.size(descriptor)
    var start = isStarted ? frames[0] : Frame(offset: 0, size: 0, content: 0)
    var finder = FrameFinder(size: size) { [store, descriptor] in try store.files.read(descriptor, $0) }
    let found = try finder.frames(from: start.size) { isWhole($0) }
    var best: Blocks?
    for known in isStarted ? [type(of: coding)] : BlockCodings.all {
      let blocks = Blocks(found, known.roles)
      guard best.map({ blocks.frames.count > $0.frames.count }) ?? true else { continue }
      best = blocks
      coding = try known.init()
    }
    guard let best else { return }
    // The last zstd frame that is no block's.
    let index = best.others.last { $0.magic == nil }?.frame ?? Frame(offset: size, size: 0, content: 0)
    // An explaining text that cannot be read, and tells its size all the same.
    if !isStarted, let first = best.others.first, first.magic == nil, first.frame.offset == 0, first.frame != index {
      start = first.frame
    }
    frames = [start] + best.frames + [index]
    sumsFrame = best.others.last { $0.magic == SegmentFormat.sumsMagic }?.frame
    let ends = best.others.filter { $0.magic == SegmentFormat.sumsMagic || $0.magic == SegmentFormat.seekTableMagic }
    let known = best.frames + [index] + ends.map(\.frame)
    strays = Self.gaps(between: known, from: start.size, to: size)
  }

  /// Frames that make blocks, and the others.
  private struct Blocks {
    var frames: [Frame] = []
    var others: [FrameFinder.Found] = []

    init(_ found: [FrameFinder.Found], _ roles: [EncodedBlock.Role]) {
      var next = 0
      while next < found.count {
        let group = found[next...].prefix(roles.count)
        if FrameFinder.isBlock(group, roles) {
          frames += group.map(\.frame)
          next += roles.count
        } else {
          others.append(found[next])
          next += 1
        }
      }
    }
  }

  private static func gaps(between frames: [Frame], from start: Int, to end: Int) -> [Range<Int>] {
    var gaps: [Range<Int>] = []
    var position = start
    for range in frames.map(\.range).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > position { gaps.append(position..<range.lowerBound) }
      position = max(position, range.upperBound)
    }
    if position < end { gaps.append(position..<end) }
    return gaps
  }

  /// A frame whose content is what was written.
  private func isWhole(_ found: FrameFinder.Found) -> Bool {
    guard let bytes = try? store.files.read(descriptor, found.frame.range) else { return false }
    if let magic = found.magic { return (try? Self.skippable(bytes[...], magic)) != nil }
    return (try? decompressor.decompress(bytes, limit: SegmentFormat.largestFrame)) != nil
  }
}
