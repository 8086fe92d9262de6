/// Says where the next piece of a text ends, from what follows and from how such text was split before. Part of the
/// format: `schema/archive.md` has the rules, and an example that the tests run.
///
/// The text is read in units: a word with the space before it, a run of digits, of line ends, of other signs, or one
/// ideograph. A piece mostly is one unit; where it was less, that is remembered under the unit's hash.
final class CutPredictor {
  /// Learned lengths by the hash of a unit; 0 where nothing was learned.
  private let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 1 << 16)

  init() { table.initialize(repeating: 0, count: 1 << 16) }

  deinit { table.deallocate() }

  struct Unit {
    var length: Int
    fileprivate var slot: Int
  }

  private enum Kind: UInt8 { case word, digit, lineEnd, ideograph, space, sign }

  private static let longestUnit = 32

  /// The unit at `position`, which is before the text's end.
  @inline(__always)
  static func unit(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Unit {
    var end = position
    var hash: UInt32 = 0x811C_9DC5
    if text[position] == 0x20, position + 1 < text.count, text[position + 1] != 0x20 {
      end += 1
      hash = (hash ^ 0x20) &* 0x0100_0193
    }
    var kind: Kind?
    while end < text.count {
      let (next, length) = atom(text, end)
      if let kind, kind != next { break }
      guard end + length - position <= longestUnit else { break }
      for offset in 0..<length {
        hash = (hash ^ UInt32(next == .digit ? 0x30 : text[end + offset])) &* 0x0100_0193
      }
      end += length
      if next == .ideograph { break }
      kind = next
    }
    return Unit(length: end - position, slot: Int((hash >> 16 ^ hash) & 0xFFFF))
  }

  /// Kind and length of the smallest part at `position`.
  @inline(__always)
  private static func atom(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (Kind, Int) {
    let byte = text[position]
    if byte < 0x80 {
      if byte | 0x20 >= 0x61, byte | 0x20 <= 0x7A { return (.word, 1) }
      if byte == 0x20 { return (.space, 1) }
      if byte >= 0x30, byte <= 0x39 { return (.digit, 1) }
      guard byte == 0x5C, position + 1 < text.count else { return (.sign, 1) }
      return escape(text, position)
    }
    let left = text.count - position
    if byte < 0xE0 { return (.word, min(2, left)) }
    if byte < 0xE2 { return (.word, min(3, left)) }
    if byte == 0xE2 { return (.sign, min(3, left)) }
    return (.ideograph, min(byte < 0xF0 ? 3 : 4, left))
  }

  private static func escape(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (Kind, Int) {
    switch text[position + 1] {
    case 0x6E, 0x72, 0x74: return (.lineEnd, 2)
    case 0x75 where position + 6 <= text.count:
      switch text[position + 2] {
      case 0x30, 0x31: return (.word, 6)
      case 0x32: return (.sign, 6)
      default: return (.ideograph, 6)
      }
    default: return (.sign, 2)
    }
  }

  /// Length of the piece that is expected at a unit.
  @inline(__always)
  func prediction(_ unit: Unit) -> Int {
    let learned = Int(table[unit.slot])
    return learned > 0 && learned < unit.length ? learned : unit.length
  }

  /// The piece at this unit was no longer than it, and not as expected.
  @inline(__always)
  func learn(_ unit: Unit, length: Int) { table[unit.slot] = UInt8(length) }
}

/// The cuts of a block's columns, as symbols for zstd to shorten.
struct CutEncoder {
  /// For each piece that was not predicted, how many before it were.
  private(set) var runs: [UInt8] = []
  /// Pieces that were not predicted.
  private(set) var misses: [UInt8] = []
  /// Pieces of columns without prediction.
  private(set) var lengths: [UInt8] = []
  private let predictor = CutPredictor()

  mutating func add(lengths pieces: [Int]) {
    for length in pieces { Self.append(length, to: &lengths) }
  }

  mutating func add(words pieces: [Int], of text: UnsafeBufferPointer<UInt8>) {
    var position = 0
    var hits = 0
    for length in pieces {
      guard position < text.count else {
        // Behind the end nothing is expected, and nothing comes.
        hits += 1
        continue
      }
      let unit = CutPredictor.unit(text, position)
      if predictor.prediction(unit) == length {
        hits += 1
      } else {
        Self.append(hits, to: &runs)
        hits = 0
        miss(text, position, length, unit)
      }
      position += length
    }
    if hits > 0 { Self.append(hits, to: &runs) }
  }

  private mutating func miss(
    _ text: UnsafeBufferPointer<UInt8>, _ position: Int, _ length: Int, _ first: CutPredictor.Unit
  ) {
    let end = position + length
    var start = position
    var units = 0
    var last = first
    while start < end, units < 34 {
      let expected = predictor.prediction(last)
      guard start + expected <= end else { break }
      start += expected
      units += 1
      if start < end { last = CutPredictor.unit(text, start) }
    }
    let rest = end - start
    if rest == 0, units >= 2, units <= 33 {
      misses.append(UInt8(CutSymbols.units + units - 2))
    } else if units == 0, rest < 64 {
      misses.append(UInt8(CutSymbols.bytes + rest))
    } else if units >= 1, units <= 16, rest > 0, rest < 64 {
      misses.append(UInt8(CutSymbols.unitsAndBytes + units - 1))
      misses.append(UInt8(rest))
    } else {
      misses.append(UInt8(CutSymbols.length))
      misses.append(varint: length)
      units = 0
    }
    if length > 0, length <= first.length {
      predictor.learn(first, length: length)
    } else if rest > 0, units > 0 {
      predictor.learn(last, length: rest)
    }
  }

  /// One byte, or 255 and a varint of what is left.
  private static func append(_ value: Int, to bytes: inout [UInt8]) {
    if value < 255 { return bytes.append(UInt8(value)) }
    bytes.append(255)
    bytes.append(varint: value - 255)
  }

  /// Three times a varint with the length of a zstd frame, and that frame; nothing for no symbols.
  func finish() throws -> [UInt8] {
    var out: [UInt8] = []
    let compressor = try ZstdCompressor(level: 9)
    for symbols in [runs, misses, lengths] {
      let frame = symbols.isEmpty ? [] : try compressor.compress(symbols)
      out.append(varint: frame.count)
      out += frame
    }
    return out
  }
}

/// First symbols of pieces that were not predicted.
enum CutSymbols {
  /// 2 to 33 units as expected.
  static let units = 0x80
  /// 0 to 63 bytes.
  static let bytes = 0xA0
  /// 1 to 16 units as expected, and so many bytes as the next byte says.
  static let unitsAndBytes = 0xE0
  /// So many bytes as the varint says.
  static let length = 0xFF
}

/// Reads what ``CutEncoder`` wrote, column by column in the same order. Total on any bytes.
struct CutDecoder {
  private var runs: ByteReader
  private var misses: ByteReader
  private var lengths: ByteReader
  private let predictor = CutPredictor()

  init(_ bytes: [UInt8]) throws {
    var reader = ByteReader(bytes)
    let decompressor = try ZstdDecompressor()
    func symbols() throws -> ByteReader {
      guard let count = reader.varint(), let frame = reader.take(count) else { throw BlockError("the cuts' symbols") }
      if count == 0 { return ByteReader([]) }
      return ByteReader(try decompressor.decompress(Array(frame), limit: SegmentFormat.largestFrame))
    }
    runs = try symbols()
    misses = try symbols()
    lengths = try symbols()
    guard reader.isAtEnd else { throw BlockError("bytes behind the cuts") }
  }

  var isAtEnd: Bool { runs.isAtEnd && misses.isAtEnd && lengths.isAtEnd }

  /// Ends of `count` pieces that make up `size` bytes.
  mutating func lengths(count: Int, size: Int) throws(BlockError) -> [Int] {
    guard count <= lengths.left else { throw BlockError("too few lengths") }
    var ends: [Int] = []
    ends.reserveCapacity(count)
    var position = 0
    for _ in 0..<count {
      guard let length = Self.next(&lengths), length <= size - position else { throw BlockError("a piece's length") }
      position += length
      ends.append(position)
    }
    guard position == size else { throw BlockError("pieces that do not make up their text") }
    return ends
  }

  /// Ends of `count` pieces that make up the text.
  mutating func words(count: Int, of text: UnsafeBufferPointer<UInt8>) throws(BlockError) -> [Int] {
    var ends: [Int] = []
    ends.reserveCapacity(count)
    var position = 0
    while ends.count < count {
      guard let hits = Self.next(&runs), hits <= count - ends.count else { throw BlockError("a run of pieces") }
      for _ in 0..<hits {
        if position < text.count { position += predictor.prediction(CutPredictor.unit(text, position)) }
        ends.append(position)
      }
      guard ends.count < count else { break }
      guard position < text.count else { throw BlockError("a piece behind the end of its text") }
      position = try miss(text, position)
      ends.append(position)
    }
    guard position == text.count else { throw BlockError("pieces that do not make up their text") }
    return ends
  }

  private mutating func miss(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) throws(BlockError) -> Int {
    let first = CutPredictor.unit(text, position)
    guard let symbol = misses.byte() else { throw BlockError("too few cuts") }
    var end = position
    var last = first
    var rest = 0
    switch Int(symbol) {
    case CutSymbols.units..<CutSymbols.bytes:
      end = skip(text, position, Int(symbol) - CutSymbols.units + 2)
    case CutSymbols.bytes..<CutSymbols.unitsAndBytes:
      end += Int(symbol) - CutSymbols.bytes
    case CutSymbols.unitsAndBytes..<(CutSymbols.unitsAndBytes + 16):
      end = skip(text, position, Int(symbol) - CutSymbols.unitsAndBytes + 1)
      guard end < text.count, let next = misses.byte() else { throw BlockError("a cut") }
      last = CutPredictor.unit(text, end)
      rest = Int(next)
      // More than is expected there would be another unit.
      guard rest > 0, rest < predictor.prediction(last) else { throw BlockError("a cut") }
      end += rest
    case CutSymbols.length:
      guard let length = misses.varint(), length <= text.count - position else { throw BlockError("a cut's length") }
      end += length
    default: throw BlockError("a cut's symbol")
    }
    guard end <= text.count else { throw BlockError("a cut behind the end of its text") }
    if end > position, end - position <= first.length {
      predictor.learn(first, length: end - position)
    } else if rest > 0 {
      predictor.learn(last, length: rest)
    }
    return end
  }

  /// Behind so many pieces as expected.
  private func skip(_ text: UnsafeBufferPointer<UInt8>, _ position: Int, _ units: Int) -> Int {
    var position = position
    for _ in 0..<units where position < text.count {
      position += predictor.prediction(CutPredictor.unit(text, position))
    }
    return position
  }

  private static func next(_ reader: inout ByteReader) -> Int? {
    guard let byte = reader.byte() else { return nil }
    if byte < 255 { return Int(byte) }
    guard let more = reader.varint() else { return nil }
    let (value, overflow) = more.addingReportingOverflow(255)
    return overflow ? nil : value
  }
}
