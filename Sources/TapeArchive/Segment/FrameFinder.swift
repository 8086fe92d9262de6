/// Finds the frames of a segment by their own headers: a segment without a seek table, or a part of one.
///
/// Total on any bytes. It holds one window of the file, and the work it does is bounded by the file's size: hostile
/// bytes end the search, they do not hang it.
struct FrameFinder {
  struct Found {
    var frame: SegmentFile.Frame
    /// nil for a zstd frame.
    var magic: UInt32?

    var end: Int { frame.offset + frame.size }
  }

  private static let known: Set<UInt32> = [
    SegmentFormat.zstdMagic, SegmentFormat.cutsMagic, SegmentFormat.timesMagic, SegmentFormat.proofsMagic,
    SegmentFormat.sumsMagic, SegmentFormat.seekTableMagic,
  ]
  private static let windowBytes = 1 << 20
  /// No block of a zstd frame has more (RFC 8878 §3.1.1.2.4).
  private static let largestZstdBlock = 128 << 10

  private let size: Int
  private let read: (Range<Int>) throws -> [UInt8]
  private var window: (start: Int, bytes: [UInt8]) = (0, [])
  /// Bytes that may still be looked at, again or for the first time.
  private var allowance: Int

  /// - Parameters:
  ///   - size: of the file.
  ///   - read: gives these bytes of it, or fewer at its end.
  init(size: Int, read: @escaping (Range<Int>) throws -> [UInt8]) {
    self.size = size
    self.read = read
    allowance = 64 << 20 + 16 * size
  }

  /// The same in bytes that were read already; offsets count from their start.
  init(_ bytes: [UInt8]) {
    self.init(size: bytes.count) { Array(bytes[$0.clamped(to: 0..<bytes.count)]) }
    window = (0, bytes)
  }

  /// All frames from `start` on; where none is, the search goes on byte by byte.
  ///
  /// Damage in a frame's header makes it seem longer or shorter than it is, and what it seems to cover may be whole
  /// frames. So a frame counts where another follows it or the file ends; elsewhere `isWhole` has to say so.
  mutating func frames(from start: Int, isWhole: (Found) -> Bool) throws -> [Found] {
    var found: [Found] = []
    var offset = start
    while let next = try magic(from: offset) {
      offset = next
      guard let frame = try frame(at: offset) else {
        offset += 1
        continue
      }
      var counts = try frame.end == size || isMagic(at: frame.end)
      if !counts {
        allowance -= frame.frame.size + frame.frame.content
        counts = allowance > 0 && isWhole(frame)
      }
      if counts { found.append(frame) }
      offset = counts ? frame.end : offset + 1
    }
    return found
  }

  /// Up to `count` frames that follow each other from the beginning on.
  mutating func run(count: Int) throws -> [Found] {
    var found: [Found] = []
    while found.count < count, let next = try frame(at: found.last?.end ?? 0) { found.append(next) }
    return found
  }

  /// True for frames that follow each other without a gap and are of the kinds that make a block.
  static func isBlock(_ group: ArraySlice<Found>, _ roles: [EncodedBlock.Role]) -> Bool {
    guard group.map(\.magic) == roles.map(\.skippableMagic) else { return false }
    return zip(group, group.dropFirst()).allSatisfy { $0.end == $1.frame.offset }
  }

  // MARK: One frame

  private mutating func frame(at offset: Int) throws -> Found? {
    guard try isMagic(at: offset), let magic = try number(at: offset, bytes: 4) else { return nil }
    if magic == Int(SegmentFormat.zstdMagic) { return try zstd(at: offset) }
    guard let content = try number(at: offset + 4, bytes: 4), content + 8 <= size - offset else { return nil }
    return Found(frame: .init(offset: offset, size: content + 8, content: 0), magic: UInt32(magic))
  }

  /// RFC 8878 §3.1.1: the header, blocks that tell their sizes, a checksum.
  private mutating func zstd(at offset: Int) throws -> Found? {
    guard let descriptor = try number(at: offset + 4, bytes: 1), descriptor & 8 == 0 else { return nil }
    let isSingle = descriptor & 0x20 != 0
    let contentBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]
    var position = offset + 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]
    guard contentBytes > 0, var content = try number(at: position, bytes: contentBytes) else { return nil }
    if contentBytes == 2 { content += 256 }
    guard content <= SegmentFormat.largestFrame else { return nil }
    position += contentBytes
    while true {
      guard let block = try number(at: position, bytes: 3) else { return nil }
      let (kind, length) = (block >> 1 & 3, block >> 3)
      guard kind != 3, length <= Self.largestZstdBlock else { return nil }
      position += 3 + (kind == 1 ? 1 : length)
      if block & 1 == 1 { break }
    }
    if descriptor & 4 != 0 { position += 4 }
    guard position <= size else { return nil }
    return Found(frame: .init(offset: offset, size: position - offset, content: content), magic: nil)
  }

  private mutating func isMagic(at offset: Int) throws -> Bool {
    try number(at: offset, bytes: 4).map { Self.known.contains(UInt32($0)) } ?? false
  }

  /// The first known magic number at or behind `offset`.
  private mutating func magic(from offset: Int) throws -> Int? {
    var offset = offset
    while try load(offset, 4) {
      let start = window.start
      let found = window.bytes.withUnsafeBytes { bytes -> Int? in
        for position in (offset - start)..<(bytes.count - 3) {
          let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
          if word == SegmentFormat.zstdMagic || word & ~0xF == SegmentFormat.timesMagic & ~0xF,
            Self.known.contains(word)
          {
            return start + position
          }
        }
        return nil
      }
      if let found { return found }
      offset = start + window.bytes.count - 3
    }
    return nil
  }

  /// A little-endian number; nil behind the end, when it does not fit an `Int`, or when the allowance is used up.
  private mutating func number(at offset: Int, bytes count: Int) throws -> Int? {
    guard try load(offset, count) else { return nil }
    allowance -= 16
    let start = offset - window.start
    return Int(exactly: window.bytes[start..<(start + count)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  /// Makes sure that the window has these bytes.
  private mutating func load(_ offset: Int, _ count: Int) throws -> Bool {
    guard offset >= 0, count <= size - offset, allowance > 0 else { return false }
    if offset >= window.start, offset + count <= window.start + window.bytes.count { return true }
    let bytes = try read(offset..<min(size, offset + Self.windowBytes))
    allowance -= bytes.count
    window = (offset, bytes)
    return bytes.count >= count
  }
}
