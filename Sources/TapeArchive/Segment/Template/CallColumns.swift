internal import TapeTypes

/// The values of one field over a call's frames.
final class ColumnValues {
  let path: [UInt8]
  let isNumber: Bool
  fileprivate(set) var bytes: [UInt8] = []
  /// Of each value.
  fileprivate(set) var lengths: [Int] = []
  /// First frame whose value is not empty.
  fileprivate(set) var firstFrame: Int?

  fileprivate init(path: [UInt8], isNumber: Bool) {
    self.path = path
    self.isNumber = isNumber
  }
}

/// One call as templates and columns.
struct CallColumns {
  let shapes: [FrameShape]
  /// For each frame its shape.
  let frames: [Int32]
  private(set) var columns: [ColumnValues] = []
  /// For each shape the columns of its holes.
  private(set) var holes: [[Int]]

  init(_ call: RecordedCall) {
    let found = CallShapes(call)
    shapes = found.shapes
    frames = found.frames
    holes = []
    var known: [[UInt8]: Int] = [:]
    for shape in shapes {
      holes.append(
        shape.holes.map { hole in
          let token = shape.tokens[hole]
          let isNumber = token.kind == .number
          let key = token.path + [isNumber ? 0x23 : 0x24]
          if let column = known[key] { return column }
          columns.append(ColumnValues(path: token.path, isNumber: isNumber))
          known[key] = columns.count - 1
          return columns.count - 1
        })
    }
    call.raw.withUnsafeBufferPointer { raw in
      if let raw = raw.baseAddress { collect(call.frameEnds, raw) }
    }
  }

  private func collect(_ ends: [Int], _ raw: UnsafePointer<UInt8>) {
    let spans = UnsafeMutablePointer<Int>.allocate(capacity: 2 * FrameLexer.mostTokens + 2)
    defer { spans.deallocate() }
    var start = 0
    for (frame, end) in ends.enumerated() {
      let shape = Int(frames[frame])
      let holes = holes[shape]
      // It matched with fewer holes before; the others are tokens like its own.
      if !holes.isEmpty, shapes[shape].matches(raw, start..<end, spans) {
        for (index, hole) in holes.enumerated() {
          let column = columns[hole]
          let length = spans[2 * index + 1] - spans[2 * index]
          column.bytes.append(contentsOf: UnsafeBufferPointer(start: raw + spans[2 * index], count: length))
          column.lengths.append(length)
          if length > 0, column.firstFrame == nil { column.firstFrame = frame }
        }
      }
      start = end
    }
  }
}

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
          isCumulative =
            isCumulative && piece.count >= before.count
            && Self.equal(bytes, piece.lowerBound..<(piece.lowerBound + before.count), before)
        }
        pieces += 1
        before = piece
        start += length
      }
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
      while position < piece.count {
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

/// Integers as differences: `17 1x411` are 17 and 411 more that each are one larger.
enum NumberRuns {
  /// nil for what is no list of integers as JSON has them, or one that would be long this way.
  static func encode(_ column: ColumnValues) -> [UInt8]? {
    var out: [UInt8] = []
    var previous = 0
    var step = 0
    var count = 0
    var runs = 0
    func end() {
      guard count > 0 else { return }
      out.append(0x20)
      Decimal.append(step, to: &out)
      if count > 1 {
        out.append(0x78)
        Decimal.append(count, to: &out)
      }
      runs += 1
    }
    let most = column.lengths.count / 2 + 8
    var start = 0
    for length in column.lengths {
      guard length <= 18, let value = Decimal.parseSigned(column.bytes[start..<(start + length)]) else { return nil }
      // Both have at most 18 digits.
      let difference = value - previous
      if count > 0, difference == step {
        count += 1
      } else {
        end()
        guard runs <= most else { return nil }
        step = difference
        count = 1
      }
      previous = value
      start += length
    }
    end()
    return out
  }

  /// Runs of at least one number each, whose sums stay within 19 digits; nil for anything else.
  static func decode(_ text: ArraySlice<UInt8>) -> [(step: Int, count: Int)]? {
    var runs: [(step: Int, count: Int)] = []
    for word in text.split(separator: 0x20, omittingEmptySubsequences: false) {
      let parts = word.split(separator: 0x78, maxSplits: 1, omittingEmptySubsequences: false)
      guard let step = Decimal.parseSigned(parts[0]), let count = parts.count == 2 ? Decimal.parse(parts[1]) : 1,
        count > 0
      else { return nil }
      runs.append((step, count))
    }
    return runs
  }
}
