/// What the head says of a column's values, so that the joined value can be judged without its cuts.
struct ColumnFacts {
  var isPlain: Bool
  var hasRepeat: Bool

  init(_ column: ColumnValues) {
    var repeats = false
    var isCumulative = true
    var pieces = 0
    var lastIsWhole = false
    var isText = !column.isNumber
    column.bytes.withUnsafeBufferPointer { bytes in
      if isText { isText = Self.isText(bytes, column.lengths) }
      var start = 0
      var before = 0..<0
      for length in column.lengths where length > 0 {
        let piece = start..<(start + length)
        let equalsLast = Self.equal(bytes, piece, before)
        lastIsWhole = piece.count == start && Self.equal(bytes, piece, 0..<start)
        if pieces > 0 {
          repeats = repeats || equalsLast || lastIsWhole
          isCumulative = isCumulative && isText && PieceText.starts(bytes, piece, with: before)
        }
        pieces += 1
        before = piece
        start += length
      }
      if isText, pieces > 1 { lastIsWhole = lastIsWhole || PieceText.same(bytes, before, 0..<before.lowerBound) }
    }
    hasRepeat = repeats
    isPlain = isText && (pieces < 2 || !isCumulative && !lastIsWhole)
  }

  private static func equal(_ bytes: UnsafeBufferPointer<UInt8>, _ a: Range<Int>, _ b: Range<Int>) -> Bool {
    a.count == b.count && bytes[a].elementsEqual(bytes[b])
  }

  /// Every value is valid UTF-8 with escapes that JSON knows.
  private static func isText(_ bytes: UnsafeBufferPointer<UInt8>, _ lengths: [Int]) -> Bool {
    var start = 0
    for length in lengths {
      let piece = UnsafeBufferPointer(rebasing: bytes[start..<(start + length)])
      var position = 0
      while true {
        position = piece.afterPlain(from: position, stoppingAt: 0x5C)
        guard position < piece.count else { break }
        if piece[position] == 0x5C {
          guard position + 1 < piece.count else { return false }
          switch piece[position + 1] {
          case 0x22, 0x2F, 0x5C, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 2
          case 0x75:
            guard position + 6 <= piece.count,
              piece[(position + 2)..<(position + 6)].allSatisfy({ Hex.value($0) ?? Hex.value($0 | 0x20) != nil })
            else { return false }
            position += 6
          default: return false
          }
          continue
        }
        let length = piece[position] < 0x80 ? 1 : UTF8Scalars.length(piece, position)
        guard length > 0 else { return false }
        position += length
      }
      start += length
    }
    return true
  }
}
