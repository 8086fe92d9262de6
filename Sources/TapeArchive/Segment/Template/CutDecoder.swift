/// Reads what ``CutEncoder`` wrote, column by column in the same order. Total on any bytes.
struct CutDecoder {
  private var runs: ByteReader
  private var misses: ByteReader
  private var lengths: ByteReader
  private let predictor = CutPredictor()

  init(_ bytes: [UInt8]) throws {
    var reader = ByteReader(bytes)
    let decompressor = try ZstdDecompressor()
    // Of all three together: a few bytes of zstd may claim as much of each.
    var left = SegmentFormat.largestFrame
    func symbols() throws -> ByteReader {
      guard let count = reader.varint(), let frame = reader.take(count) else { throw BlockError("the cuts' symbols") }
      if count == 0 { return ByteReader([]) }
      let content = try decompressor.decompress(frame, limit: left)
      left -= content.count
      return ByteReader(content)
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

  mutating func skipLengths(count: Int) throws(BlockError) {
    guard count <= lengths.left else { throw BlockError("too few lengths") }
    for _ in 0..<count {
      guard Self.next(&lengths) != nil else { throw BlockError("a piece's length") }
    }
  }

  /// Ends of `count` pieces that make up the text.
  mutating func words(count: Int, of text: UnsafeBufferPointer<UInt8>) throws(BlockError) -> [Int] {
    var ends: [Int] = []
    ends.reserveCapacity(count)
    try words(count: count, of: text) { ends.append($0) }
    return ends
  }

  /// Learns from a column without keeping its ends.
  mutating func skipWords(count: Int, of text: UnsafeBufferPointer<UInt8>) throws(BlockError) {
    try words(count: count, of: text) { _ in }
  }

  @inline(__always)
  private mutating func words(
    count: Int, of text: UnsafeBufferPointer<UInt8>, _ take: (Int) -> Void
  ) throws(BlockError) {
    var left = count
    var position = 0
    while left > 0 {
      guard let hits = Self.next(&runs), hits <= left else { throw BlockError("a run of pieces") }
      for _ in 0..<hits {
        if position < text.count { position += predictor.prediction(CutPredictor.unit(text, position)) }
        take(position)
      }
      left -= hits
      guard left > 0 else { break }
      guard position < text.count else { throw BlockError("a piece behind the end of its text") }
      position = try miss(text, position)
      take(position)
      left -= 1
    }
    guard position == text.count else { throw BlockError("pieces that do not make up their text") }
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
