internal import CZstd
internal import TapeTypes

/// Every byte of a segment against the checksums that it has of its frames.
extension SegmentFile {
  /// From now on every frame is compared with its checksum as it is read. Checks at once what belongs to no block:
  /// the first frame, the index, the checksums, and the seek table, to their last bits.
  ///
  /// - Returns: false if the file has no checksums, which those of the first programs have not.
  /// - Throws: `BlockError` and others, at the first byte that is not what was written.
  func checkFrames() throws -> Bool {
    if let frame = sumsFrame {
      guard frame.content == 0 else { throw BlockError("its seek table does not fit its checksums") }
      let bytes = try store.files.read(descriptor, frame.range)
      var reader = ByteReader(try Self.skippable(bytes[...], SegmentFormat.sumsMagic))
      let read = frames.compactMap { _ in reader.uint32() }
      guard read.count == frames.count, reader.isAtEnd else { throw BlockError("its checksums do not fit its frames") }
      sums = read
      _ = try self.bytes(0)
      _ = try self.bytes(frames.count - 1)
    }
    for (index, frame) in frames.enumerated() {
      let start = try store.files.read(descriptor, frame.offset..<(frame.offset + min(frame.size, 18)))
      let content = start.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
      // Where the frame is damaged it is not the seek table that is wrong: its block is reported when it is read.
      guard frame.content == Int(clamping: content) || sums != nil && (try? bytes(index)) == nil else {
        throw BlockError("its seek table does not fit frame \(index)")
      }
    }
    return sums != nil
  }
}
