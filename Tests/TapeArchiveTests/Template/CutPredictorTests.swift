import TapeTypes
import Testing

@testable import TapeArchive

@Suite struct CutPredictorTests {
  /// As the page of the format has them.
  @Test(arguments: [
    (" refund policy", [7, 7]), ("a  b", [1, 2, 1]), ("x1234y", [1, 4, 1]), (#"end.\n\nNext"#, [3, 1, 4, 4]),
    ("数据ab", [3, 3, 2]),
    (" 数", [4]), (#"\u00e9t\u6570\u636e"#, [7, 6, 6]), (#"say \"hi\""#, [3, 3, 2, 2]), ("**:", [3]), ("été", [5]),
    ("“a”", [3, 1, 3]),
    (" ", [1]), ("   x", [3, 1]), (String(repeating: "a", count: 70), [32, 32, 6]), ("\\", [1]),
  ]) func unitsAreWhatThePageSays(text: String, lengths: [Int]) {
    let bytes = Array(text.utf8)
    bytes.withUnsafeBufferPointer { bytes in
      var position = 0
      var found: [Int] = []
      while position < bytes.count {
        let length = CutPredictor.unit(bytes, position).length
        found.append(length)
        position += length
      }
      #expect(found == lengths)
    }
  }

  /// The symbols of an example: runs and misses.
  @Test func theSymbolsAreWhatThePageSays() {
    let pieces = [" the", " ref", "und", " policy", " of the", " ref", "und", "?", "", " refund"]
    let text = Array(pieces.joined().utf8)
    var encoder = CutEncoder()
    text.withUnsafeBufferPointer { encoder.add(words: pieces.map(\.utf8.count), of: $0) }
    // One as expected, then 4 bytes of " refund"; two, then two units; three, as " refund" is expected to be cut now,
    // then nothing; then two units, " ref" and "und".
    #expect(encoder.runs == [1, 2, 3, 0])
    #expect(encoder.misses == [0xA4, 0x80, 0xA0, 0x80])
  }

  @Test(arguments: 0..<200) func anyCutsComeBack(seed: Int) throws {
    var generator = Seeded(state: UInt64(seed))
    let words = [" the", " refund", "policy", "\\n\\n", ".", " 123", "数", "é", "\\u00e9", "\"", "   ", "\\"]
    var encoder = CutEncoder()
    var columns: [(text: [UInt8], lengths: [Int], isWords: Bool)] = []
    for _ in 0..<Int.random(in: 1..<6, using: &generator) {
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<60, using: &generator) {
        text += Array((words.randomElement(using: &generator) ?? "").utf8)
      }
      var lengths: [Int] = []
      var left = text.count
      while left > 0 {
        let length = min(left, Int.random(in: 0..<(seed % 3 == 0 ? 400 : 12), using: &generator))
        lengths.append(length)
        left -= length
      }
      if Bool.random(using: &generator) { lengths += [0, 0] }
      let isWords = Bool.random(using: &generator)
      columns.append((text, lengths, isWords))
      text.withUnsafeBufferPointer { isWords ? encoder.add(words: lengths, of: $0) : encoder.add(lengths: lengths) }
    }
    var decoder = try CutDecoder(encoder.finish())
    for column in columns {
      let ends = try column.text.withUnsafeBufferPointer {
        column.isWords
          ? try decoder.words(count: column.lengths.count, of: $0)
          : try decoder.lengths(count: column.lengths.count, size: $0.count)
      }
      var sum = 0
      #expect(
        ends
          == column.lengths.map {
            sum += $0; return sum
          })
    }
    #expect(decoder.isAtEnd)
  }

  /// What a block's cuts, or times, say that they are is bounded for all of their streams together.
  @Test func manySmallBombsAreOneBomb() throws {
    let half = try ZstdCompressor(level: 1).compress([UInt8](repeating: 0, count: SegmentFormat.largestFrame / 2 + 1))
    var cuts: [UInt8] = []
    for _ in 0..<2 {
      cuts.append(varint: half.count)
      cuts += half
    }
    cuts.append(varint: 0)
    #expect(throws: ZstdError.self) { try CutDecoder(cuts) }
    let frames = try ZstdCompressor(level: 1).compress([UInt8](repeating: 0, count: SegmentFormat.mostFrames))
    var times: [UInt8] = []
    times.append(varint: 3)
    for _ in 0..<4 {
      times.append(varint: frames.count)
      times += frames
    }
    #expect(throws: ZstdError.self) { try GroupedTimes.Decoder(times) }
  }
}
