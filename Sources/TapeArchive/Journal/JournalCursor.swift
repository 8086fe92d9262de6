internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Reads one journal's records in order, over a buffer of its own. Total: any bytes whatever are
/// read as records, damage and a tail.
final class JournalCursor {
  enum Step {
    case record(JournalRecord)
    /// Nothing more before the limit but the start of a record, if anything.
    case end
    /// What is at `offset` is no record.
    case bad
  }

  /// A search for the next record behind damage looks at so many bytes at most, those of candidates counted again.
  private static let resyncLimit = 1 << 30
  /// Of a record that says it is larger, the last byte is looked at before the rest is read.
  private static let trustedSize = 1 << 20

  private let files: any TapeFiles
  let descriptor: Int32
  let name: String
  let seed: UInt32
  /// Where the next record starts.
  private(set) var offset: Int
  /// Nothing behind this is looked at.
  var limit: Int
  private let chunk: Int
  private var buffer: UnsafeMutableRawBufferPointer
  private var bufferStart = 0
  private var bufferCount = 0
  /// Bytes that were looked at in vain.
  private var examined = 0
  /// Where the last bad record would end if its line is right.
  private var statedEnd: Int?

  /// - Parameter chunk: how much is read at once; small for reading here and there.
  init(
    files: any TapeFiles, descriptor: Int32, name: String, seed: UInt32, offset: Int, limit: Int, chunk: Int = 256 << 10
  ) {
    self.files = files
    self.descriptor = descriptor
    self.name = name
    self.seed = seed
    self.offset = offset
    self.limit = limit
    self.chunk = chunk
    buffer = .allocate(byteCount: chunk, alignment: 16)
  }

  deinit { buffer.deallocate() }

  func seek(_ offset: Int) { self.offset = offset }

  /// Forgets what was read ahead: the end of a live journal may have been taken back since.
  func refresh(limit: Int) {
    self.limit = limit
    bufferCount = 0
  }

  /// The record at `offset`, and moves behind it. After `.bad` the cursor stays where it is.
  func next(checking: Bool = true) throws(FileError) -> Step {
    statedEnd = nil
    let step = try record(at: offset, checking: checking)
    if case .record(let record) = step { offset = record.end }
    return step
  }

  private func record(at offset: Int, checking: Bool) throws(FileError) -> Step {
    var needed = 1
    while true {
      let remaining = limit - offset
      guard needed <= remaining else { return .end }
      let bytes = try fill(offset, needed)
      // The file became shorter than the limit.
      guard bytes.count >= needed else { return .end }
      switch JournalRecord.parse(bytes, at: offset, seed: checking ? seed : nil) {
      case .record(let record): return .record(record)
      case .bad(let size):
        examined += size ?? 64
        statedEnd = size.map { offset + $0 }
        return .bad
      case .needs(let more):
        if more > Self.trustedSize, more <= remaining, try byte(at: offset + more - 1) != 0x0A { return .bad }
        needed = more
      }
    }
  }

  /// nil if the file became shorter.
  private func byte(at offset: Int) throws(FileError) -> UInt8? {
    try files.read(descriptor, offset..<(offset + 1)).first
  }

  /// At least `needed` bytes from `offset` on, if the file has them before the limit.
  private func fill(_ offset: Int, _ needed: Int) throws(FileError) -> UnsafeRawBufferPointer {
    let bufferEnd = bufferStart + bufferCount
    if offset < bufferStart || offset + needed > bufferEnd {
      if offset >= bufferStart, offset < bufferEnd, let base = buffer.baseAddress {
        let kept = bufferEnd - offset
        (base).copyMemory(from: base + (offset - bufferStart), byteCount: kept)
        bufferCount = kept
      } else {
        bufferCount = 0
      }
      bufferStart = offset
      try read(upTo: max(needed, chunk))
    }
    let start = offset - bufferStart
    return UnsafeRawBufferPointer(rebasing: buffer[start..<max(start, min(bufferCount, start + limit - offset))])
  }

  private func read(upTo wanted: Int) throws(FileError) {
    let wanted = min(wanted, limit - bufferStart)
    if buffer.count < wanted {
      let grown = UnsafeMutableRawBufferPointer.allocate(byteCount: wanted, alignment: 16)
      grown.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<bufferCount]))
      buffer.deallocate()
      buffer = grown
    }
    while bufferCount < wanted {
      let step = try files.read(
        descriptor, at: bufferStart + bufferCount,
        into: UnsafeMutableRawBufferPointer(rebasing: buffer[bufferCount..<wanted]))
      if step == 0 { return }
      bufferCount += step
    }
  }

  /// After `.bad` or `.end`: moves to the next valid record behind `offset`. False if there is none.
  ///
  /// Text in payloads can look like records; their checksums start from the journal's name, so it does not pass for
  /// one, but checking it costs. The work is bounded: hostile text ends the search, it does not hang it.
  func resync() throws(FileError) -> Bool {
    // Damage inside a record leaves its line right, mostly; if it hit the last byte, no line feed tells its end.
    if let end = statedEnd, end > offset, end < limit, case .record = try record(at: end, checking: true) {
      offset = end
      return true
    }
    var position = offset
    examined = 0
    while position < limit, examined < Self.resyncLimit {
      let bytes = try fill(position, 1)
      guard !bytes.isEmpty else { return false }
      guard let newline = lineFeed(in: bytes) else {
        position += bytes.count
        examined += bytes.count
        continue
      }
      examined += newline
      let candidate = position + newline + 1
      if case .record(let record) = try record(at: candidate, checking: true) {
        offset = record.offset
        return true
      }
      position = candidate
    }
    return false
  }

  private func lineFeed(in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, let found = memchr(base, 0x0A, bytes.count) else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// True if a batch record ends at the limit: its checksum begins with the journal's name, so no text looks like it.
  private func endsWithBatch() throws(FileError) -> Bool {
    let start = max(offset, limit - JournalFormat.longestLine)
    guard start < limit else { return false }
    let bytes = try files.read(descriptor, start..<limit)
    guard bytes.count == limit - start else { return false }
    return bytes.withUnsafeBytes { bytes in
      bytes.indices.contains { place in
        guard place == 0 ? start == offset : bytes[place - 1] == 0x0A,
          case .record(let record) = JournalRecord.parse(
            UnsafeRawBufferPointer(rebasing: bytes[place...]), at: start + place, seed: seed)
        else { return false }
        return record.kind == .batch && record.end == limit
      }
    }
  }

  /// Where the last whole batch at or behind `offset` ends, or `offset`. Moves nothing.
  func committedEnd() throws(FileError) -> Int {
    // Mostly the writer is between two batches.
    if try endsWithBatch() { return limit }
    let start = offset
    defer { offset = start }
    var committed = start
    while true {
      switch try next(checking: false) {
      case .record(let record): if record.kind == .batch { committed = record.end }
      case .end: return committed
      case .bad: guard try resync() else { return committed }
      }
    }
  }
}
