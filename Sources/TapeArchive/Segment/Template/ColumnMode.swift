/// How a column's pieces are told apart.
enum ColumnMode: String {
  /// By ``CutPredictor``.
  case words
  /// By their lengths: cut without regard to words.
  case lengths
  /// By their lengths, and what they are looks random, so that it stands behind all other text.
  case noise

  init(_ text: UnsafeBufferPointer<UInt8>, _ lengths: [Int]) {
    if Self.looksRandom(text) {
      self = .noise
    } else {
      self = Self.isCutAtWords(text, lengths) ? .words : .lengths
    }
  }

  /// Base64, hex, digits: a quarter of the bytes are digits or capitals, and there is hardly a space.
  static func looksRandom(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard text.count >= 128 else { return false }
    var (dense, spaces) = (0, 0)
    for byte in text.prefix(4096) {
      if byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5A { dense += 1 }
      if byte <= 0x20 || byte == 0x5C || byte >= 0x80 { spaces += 1 }
    }
    let seen = min(text.count, 4096)
    return dense * 4 > seen && spaces * 50 < seen
  }

  /// Most of the pieces begin where a unit of the predictor may.
  private static func isCutAtWords(_ text: UnsafeBufferPointer<UInt8>, _ lengths: [Int]) -> Bool {
    var (at, seen) = (0, 0)
    var position = 0
    var start = 0
    var isStart = true
    // Goes along both the pieces and the units of the text.
    for length in lengths.prefix(512) where length > 0 {
      while position < start {
        position += CutPredictor.unit(text, position).length
      }
      isStart = position == start
      seen += 1
      if isStart { at += 1 }
      start += length
    }
    return at * 100 >= seen * 45
  }
}
