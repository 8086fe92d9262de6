internal import CTapeShims
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// One record of a journal, borrowed from its cursor's buffer: valid until the cursor moves.
struct JournalRecord {
  /// Where it starts in the file.
  var offset: Int
  /// All of its bytes, through the last line feed.
  var whole: UnsafeRawBufferPointer
  /// nil for a kind that a later minor version may have added.
  var kind: JournalKind?
  private var fieldsStart: Int
  private var lineEnd: Int
  private var payloadCount: Int

  var size: Int { whole.count }
  var end: Int { offset + whole.count }
  var payload: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: whole[(lineEnd + 1)..<(lineEnd + 1 + payloadCount)])
  }
  var fields: JournalFields { JournalFields(UnsafeRawBufferPointer(rebasing: whole[fieldsStart..<lineEnd])) }

  enum Outcome {
    case record(JournalRecord)
    /// So many bytes from the record's start are needed to say more.
    case needs(Int)
    /// No record. `size` is what its line says it is, if it says so; as many bytes were looked at to find out.
    case bad(size: Int?)
  }

  /// Reads the record that starts at the buffer's start.
  ///
  /// - Parameter seed: nil to leave the checksum alone.
  static func parse(_ bytes: UnsafeRawBufferPointer, at offset: Int, seed: UInt32?) -> Outcome {
    let line = bytes.prefix(min(bytes.count, JournalFormat.longestLine))
    var position = 0
    var stated: UInt32 = 0
    while position < 8 {
      guard position < line.count else { return .needs(position + 1) }
      guard let digit = Hex.value(line[position]) else { return .bad(size: nil) }
      stated = stated << 4 | UInt32(digit)
      position += 1
    }
    guard position < line.count else { return .needs(position + 1) }
    guard line[position] == 0x20 else { return .bad(size: nil) }
    position += 1
    var payload = 0
    let digits = position
    while position < line.count, line[position] >= 0x30, line[position] <= 0x39, position - digits < 12 {
      payload = payload * 10 + Int(line[position]) - 0x30
      position += 1
    }
    guard position < line.count else { return .needs(position + 1) }
    guard position > digits, line[position] == 0x20 else { return .bad(size: nil) }
    let kindStart = position + 1
    guard let newline = find(0x0A, in: line, from: kindStart) else {
      return line.count == JournalFormat.longestLine ? .bad(size: nil) : .needs(bytes.count + 1)
    }
    let size = newline + 1 + payload + 1
    guard payload <= JournalFormat.largestRecord else { return .bad(size: nil) }
    guard size <= bytes.count else { return .needs(size) }
    guard bytes[size - 1] == 0x0A else { return .bad(size: size) }
    if let seed, let base = bytes.baseAddress {
      let width = JournalFormat.checksumWidth
      guard tape_crc32c(seed, base + width, size - width) == stated else { return .bad(size: size) }
    }
    var kindEnd = kindStart
    while kindEnd < newline, line[kindEnd] != 0x20 { kindEnd += 1 }
    return .record(
      JournalRecord(
        offset: offset, whole: UnsafeRawBufferPointer(rebasing: bytes[..<size]),
        kind: JournalKind(word: UnsafeRawBufferPointer(rebasing: bytes[kindStart..<kindEnd])),
        fieldsStart: min(kindEnd + 1, newline), lineEnd: newline, payloadCount: payload))
  }

  private static func find(_ byte: Int32, in line: Slice<UnsafeRawBufferPointer>, from start: Int) -> Int? {
    guard start < line.endIndex, let base = line.base.baseAddress,
      let found = memchr(base + start, byte, line.endIndex - start)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }
}

extension JournalKind {
  /// The kind with this word, without making a `String` of it.
  init?(word: UnsafeRawBufferPointer) {
    guard let first = word.first else { return nil }
    let candidate: JournalKind
    switch (first, word.count) {
    case (0x64, _): candidate = .delta
    case (0x66, _): candidate = .frame
    case (0x62, _): candidate = .batch
    case (0x70, _): candidate = .part
    case (0x6F, _): candidate = .open
    case (0x68, _): candidate = .head
    case (0x65, _): candidate = .end
    case (0x72, _): candidate = .resume
    case (0x67, _): candidate = .gap
    case (0x6A, _): candidate = .journal
    default: return nil
    }
    guard word.count == candidate.word.utf8CodeUnitCount, let base = word.baseAddress,
      memcmp(base, candidate.word.utf8Start, word.count) == 0
    else { return nil }
    self = candidate
  }

  /// The raw value, where comparing it costs nothing.
  private var word: StaticString {
    switch self {
    case .journal: "journal"
    case .open: "open"
    case .head: "head"
    case .frame: "frame"
    case .delta: "delta"
    case .part: "part"
    case .end: "end"
    case .resume: "resume"
    case .gap: "gap"
    case .batch: "batch"
    }
  }
}

/// Reads a record's fields one after the other.
struct JournalFields {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The next field; empty behind the last one.
  mutating func text() -> Slice<UnsafeRawBufferPointer> {
    let start = position
    while position < bytes.count, bytes[position] != 0x20 { position += 1 }
    defer { position = min(position + 1, bytes.count) }
    return bytes[start..<position]
  }

  /// nil for anything but a decimal integer that fits.
  mutating func int() -> Int? {
    let isNegative = position < bytes.count && bytes[position] == 0x2D
    if isNegative { position += 1 }
    let start = position
    // Below zero, where there is room for one more.
    var value = 0
    var isNumber = true
    while position < bytes.count, bytes[position] != 0x20 {
      let digit = Int(bytes[position]) - 0x30
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = product.subtractingReportingOverflow(digit)
      if overflow || overflow2 || digit < 0 || digit > 9 { isNumber = false }
      value = sum
      position += 1
    }
    let digits = position - start
    position = min(position + 1, bytes.count)
    guard isNumber, digits > 0, digits <= 19 else { return nil }
    if isNegative { return value }
    return value == .min ? nil : -value
  }

  /// A whole number that is not negative, and that something can have so many of: sums of a few never overflow.
  mutating func count() -> Int? { int().flatMap { (0...JournalFormat.largestCount).contains($0) ? $0 : nil } }

  /// A time: `.some(nil)` for `-`, nil for what is none.
  mutating func time() -> Int64?? {
    if position < bytes.count, bytes[position] == 0x2D, position + 1 == bytes.count || bytes[position + 1] == 0x20 {
      position = min(position + 2, bytes.count)
      return .some(nil)
    }
    return int().map { Int64($0) }
  }

  mutating func callID() -> CallID? { CallID(String(decoding: text(), as: UTF8.self)) }
  mutating func hex() -> [UInt8]? { Hex.bytes(text()) }
}
