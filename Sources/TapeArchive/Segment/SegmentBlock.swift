package import TapeTypes

/// One block of a segment, read as far as it is asked for.
package final class SegmentBlock {
  private let file: SegmentFile
  private let number: Int
  package let location: CallLocation
  /// What the index says of its calls and tombstones, in their order.
  package let entries: [SegmentEntry]
  private var decoded: [SegmentItem]?

  init(file: SegmentFile, number: Int, entries: [SegmentEntry]) {
    self.file = file
    self.number = number
    location = CallLocation(file: file.name, offset: file.blockOffset(number))
    self.entries = entries
  }

  /// What head and text say of each entry, in their order; nil for tombstones. Nil altogether for a block coding that
  /// has no outlines, `literal/1`.
  ///
  /// - Throws: if head or text are not what was written, or not what the index says.
  package func outlines() throws -> [CallOutline?]? {
    guard let outlines = try file.outlines(inBlock: number) else { return nil }
    guard
      outlines.count == entries.count,
      zip(outlines, entries).allSatisfy({ outline, entry in
        guard let outline else { return entry.isErased }
        return outline.open.id == entry.id && outline.open.startedAtNs == entry.startedAtNs
          && outline.frames == entry.frames && outline.bytes == entry.bytes
      })
    else { throw BlockError("its index does not fit its calls") }
    return outlines
  }

  /// Compares what is not read for outlines with its checksums.
  ///
  /// - Throws: if it is not what was written.
  func checkRest() throws { try file.checkSkippable(inBlock: number) }

  /// One of its calls, decoded; the first time, the whole block is.
  ///
  /// - Throws: if the block is not what was written.
  package func call(_ index: Int) throws -> RecordedCall? {
    let items = try decoded ?? file.items(inBlock: number)
    decoded = items
    guard items.count == entries.count, items[index].id == entries[index].id else {
      throw BlockError("its index does not fit its calls")
    }
    return items[index].call
  }
}
