internal import CZstd

/// Finds the frames of a segment by their own headers.
enum FrameFinder {
  struct Found {
    var frame: SegmentFile.Frame
    /// nil for a zstd frame.
    var magic: UInt32?
  }

  private static let known: Set<UInt32> = [
    SegmentFormat.zstdMagic, SegmentFormat.cutsMagic, SegmentFormat.timesMagic, SegmentFormat.proofsMagic,
    SegmentFormat.sumsMagic, SegmentFormat.seekTableMagic,
  ]

  /// All frames from `start` on; where none is, the search goes on byte by byte. Every step is at least one byte on,
  /// and a frame is measured only where a known magic number stands.
  static func frames(in bytes: [UInt8], from start: Int) -> [Found] {
    var found: [Found] = []
    bytes.withUnsafeBytes { buffer in
      var offset = start
      while offset + 8 <= buffer.count {
        if let next = frame(UnsafeRawBufferPointer(rebasing: buffer[offset...]), at: offset) {
          found.append(next)
          offset += next.frame.size
        } else {
          offset += 1
        }
      }
    }
    return found
  }

  /// Up to `count` frames that follow each other from the beginning on.
  static func run(in bytes: [UInt8], count: Int) -> [Found] {
    var found: [Found] = []
    bytes.withUnsafeBytes { buffer in
      var offset = 0
      while found.count < count, offset + 8 <= buffer.count,
        let next = frame(UnsafeRawBufferPointer(rebasing: buffer[offset...]), at: offset)
      {
        found.append(next)
        offset += next.frame.size
      }
    }
    return found
  }

  private static func frame(_ rest: UnsafeRawBufferPointer, at offset: Int) -> Found? {
    let magic = rest.loadUnaligned(as: UInt32.self).littleEndian
    guard known.contains(magic) else { return nil }
    if magic == SegmentFormat.zstdMagic {
      let size = ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count)
      let content = ZSTD_getFrameContentSize(rest.baseAddress, rest.count)
      guard ZSTD_isError(size) == 0, size > 0, content <= UInt64(SegmentFormat.largestFrame) else { return nil }
      return Found(frame: .init(offset: offset, size: size, content: Int(content)), magic: nil)
    }
    let size = Int(rest.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian) + 8
    guard size <= rest.count else { return nil }
    return Found(frame: .init(offset: offset, size: size, content: 0), magic: magic)
  }

  /// True for frames that follow each other without a gap and are of the kinds that make a block.
  static func isBlock(_ group: ArraySlice<Found>, _ roles: [EncodedBlock.Role]) -> Bool {
    guard group.map(\.magic) == roles.map(\.skippableMagic) else { return false }
    return zip(group, group.dropFirst()).allSatisfy { $0.frame.offset + $0.frame.size == $1.frame.offset }
  }
}
