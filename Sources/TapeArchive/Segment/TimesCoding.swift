internal import TapeTypes

/// Arrival times as gaps: a symbol each, which zstd shortens, and low bits, which nothing can.
///
/// A gap under 16 ns is its own symbol. One under 2³³ ns is `16 + 8·(e − 4) + t`, where 2^e is its highest bit and t
/// the three bits below, and has e − 3 low bits. Everything else, also a time that falls, is 255 and 64 bits. The bytes
/// are a varint with the length of the zstd frame of all symbols, that frame, and the low bits from the lowest up,
/// packed from each byte's lowest bit up.
enum TimesCoding {
  private static let escape: UInt8 = 255

  /// The symbols of a call's gaps; what else they need goes to `bits`.
  static func symbols(_ offsets: [Int64], _ bits: inout BitWriter) -> [UInt8] {
    var symbols: [UInt8] = []
    symbols.reserveCapacity(offsets.count)
    var previous: Int64 = 0
    for offset in offsets {
      let (gap, overflow) = offset.subtractingReportingOverflow(previous)
      previous = offset
      if !overflow, gap >= 0, gap < 16 {
        symbols.append(UInt8(gap))
      } else if !overflow, gap >= 16, gap < 1 << 33 {
        let exponent = 63 - gap.leadingZeroBitCount
        symbols.append(UInt8(16 + 8 * (exponent - 4) + Int(gap >> (exponent - 3)) & 7))
        bits.append(UInt64(gap), count: exponent - 3)
      } else {
        symbols.append(escape)
        bits.append(UInt64(bitPattern: gap), count: 64)
      }
    }
    return symbols
  }

  /// The gap of a symbol.
  @inline(__always)
  static func gap(_ byte: UInt8, _ bits: inout BitReader) throws(BlockError) -> Int64 {
    let symbol = Int(byte)
    if symbol < 16 { return Int64(symbol) }
    let exponent = (symbol - 16) / 8 + 4
    let isEscape = byte == escape
    guard isEscape || exponent < 33 else { throw BlockError("a time's symbol") }
    guard let low = bits.next(isEscape ? 64 : exponent - 3) else { throw BlockError("too few bits of times") }
    if isEscape { return Int64(bitPattern: low) }
    return Int64(8 + (symbol - 16) % 8) << (exponent - 3) | Int64(low)
  }

  /// Reads the times of `literal/1`: one zstd frame of the symbols of all calls.
  struct Decoder {
    private var symbols: [UInt8] = []
    private var position = 0
    private var bits = BitReader([])

    init(_ bytes: [UInt8]) throws {
      guard !bytes.isEmpty else { return }
      var reader = ByteReader(bytes)
      guard let count = reader.varint(), let frame = reader.take(count) else { throw BlockError("the times' symbols") }
      symbols = try ZstdDecompressor().decompress(frame, limit: SegmentFormat.mostFrames)
      bits = BitReader(bytes, from: reader.position)
    }

    var isAtEnd: Bool { position == symbols.count && bits.isAtEnd }

    /// The offsets of a call's frames.
    mutating func next(_ count: Int) throws(BlockError) -> [Int64] {
      guard count <= symbols.count - position else { throw BlockError("too few times") }
      var offsets: [Int64] = []
      offsets.reserveCapacity(count)
      var offset: Int64 = 0
      for _ in 0..<count {
        offset &+= try TimesCoding.gap(symbols[position], &bits)
        position += 1
        offsets.append(offset)
      }
      return offsets
    }

    mutating func skip(_ count: Int) throws(BlockError) {
      guard count <= symbols.count - position else { throw BlockError("too few times") }
      for _ in 0..<count {
        _ = try TimesCoding.gap(symbols[position], &bits)
        position += 1
      }
    }
  }
}

/// Bits packed from each byte's lowest up.
struct BitWriter {
  private var bytes: [UInt8] = []
  private var buffer: UInt64 = 0
  private var filled = 0

  /// The lowest `count` bits of `value`, at most 64.
  mutating func append(_ value: UInt64, count: Int) {
    if count > 32 {
      append(value & 0xFFFF_FFFF, count: 32)
      append(value >> 32, count: count - 32)
      return
    }
    // Under 8 bits wait here, so 32 more always fit.
    buffer |= (value & (1 << count - 1)) << filled
    filled += count
    while filled >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: buffer))
      buffer >>= 8
      filled -= 8
    }
  }

  mutating func finish() -> [UInt8] {
    if filled > 0 { bytes.append(UInt8(truncatingIfNeeded: buffer)) }
    (buffer, filled) = (0, 0)
    return bytes
  }
}

struct BitReader {
  private let bytes: [UInt8]
  private var position = 0
  private var buffer: UInt64 = 0
  private var filled = 0

  init(_ bytes: [UInt8], from position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  /// True when what is left is the padding of the last byte, all zero.
  var isAtEnd: Bool { position == bytes.count && filled < 8 && buffer == 0 }

  /// nil behind the last bit.
  mutating func next(_ count: Int) -> UInt64? {
    if count > 32 {
      guard let low = next(32), let high = next(count - 32) else { return nil }
      return low | high << 32
    }
    while filled < count {
      guard position < bytes.count else { return nil }
      buffer |= UInt64(bytes[position]) << filled
      position += 1
      filled += 8
    }
    defer {
      buffer >>= count
      filled -= count
    }
    return buffer & (1 << count - 1)
  }
}
