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
