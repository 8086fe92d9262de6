#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Frames of one call that are the same but for what their holes hold. Knows them by its first frame.
final class FrameShape {
  /// The first frame of this shape, in the response.
  let example: Range<Int>
  /// What may vary, in the example.
  let tokens: [FrameToken]
  private(set) var isHole: [Bool]
  /// Tokens that are holes, and the literal bytes before each and behind the last, in the response.
  private(set) var holes: [Int] = []
  private(set) var literals: [Range<Int>]
  private var kinds: [FrameToken.Kind] = []
  var count = 1
  /// The shape that followed this one last.
  var next = 0

  init(example: Range<Int>, tokens: [FrameToken]) {
    self.example = example
    self.tokens = tokens
    isHole = [Bool](repeating: false, count: tokens.count)
    literals = [example]
  }

  /// A shape that is one hole, and so that of every frame.
  static func any(example: Range<Int>) -> FrameShape {
    let all = FrameToken(range: 0..<example.count, kind: .frame, path: Array("/frames".utf8))
    let shape = FrameShape(example: example, tokens: [all])
    shape.isHole[0] = true
    shape.compile()
    return shape
  }

  // MARK: Matching

  /// True if the frame is of this shape with the present holes; then `spans` has start and end of each hole's value.
  @inline(__always)
  func matches(_ raw: UnsafePointer<UInt8>, _ frame: Range<Int>, _ spans: UnsafeMutablePointer<Int>) -> Bool {
    literals.withUnsafeBufferPointer { literals in
      kinds.withUnsafeBufferPointer { kinds in
        var position = frame.lowerBound
        let end = frame.upperBound
        for index in kinds.indices {
          let literal = literals[index]
          guard literal.count <= end - position,
            memcmp(raw + literal.lowerBound, raw + position, literal.count) == 0
          else { return false }
          position += literal.count
          spans[2 * index] = position
          position = Self.valueEnd(raw, position, end, kinds[index])
          guard position >= 0 else { return false }
          spans[2 * index + 1] = position
        }
        let literal = literals[kinds.count]
        return literal.count == end - position && memcmp(raw + literal.lowerBound, raw + position, literal.count) == 0
      }
    }
  }

  /// Behind the value that begins at `start`; negative if none does.
  @inline(__always)
  private static func valueEnd(_ raw: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ kind: FrameToken.Kind) -> Int {
    var position = start
    switch kind {
    case .string:
      while true {
        position = plainEnd(raw, position, end)
        guard position < end, raw[position] >= 0x20 else { return -1 }
        if raw[position] == 0x22 { return position }
        position += 2
      }
    case .number:
      while position < end, FrameLexer.isOfNumber(raw[position]) { position += 1 }
      return position > start ? position : -1
    case .line:
      while position < end, raw[position] != 0x0A, raw[position] != 0x0D { position += 1 }
      return position > start ? position : -1
    case .frame: return end
    }
  }

  /// The next quote, backslash or control character, or the end: eight bytes at a time.
  @inline(__always)
  private static func plainEnd(_ raw: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
    let (ones, highest): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
    var position = start
    while position + 8 <= end {
      let word = UInt64(
        littleEndian: UnsafeRawPointer(raw).loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let (quotes, backslashes) = (word ^ 0x22 &* ones, word ^ 0x5C &* ones)
      // The highest bit of each byte that is below 0x20, or zero; above the first such byte there may be others.
      let found =
        (word &- 0x20 &* ones) & ~word | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
      if found & highest != 0 { return position + (found & highest).trailingZeroBitCount >> 3 }
      position += 8
    }
    while position < end, raw[position] >= 0x20, raw[position] != 0x22, raw[position] != 0x5C { position += 1 }
    return position
  }

  // MARK: Widening

  /// Takes in a frame with these tokens, if it is of this shape but for more holes.
  func widen(_ raw: UnsafePointer<UInt8>, _ frame: Range<Int>, _ others: [FrameToken]) -> Bool {
    guard others.count == tokens.count, hasSkeleton(raw, frame, others) else { return false }
    for (index, other) in others.enumerated() where !isHole[index] {
      let own = tokens[index].range
      isHole[index] =
        own.count != other.range.count
        || memcmp(raw + example.lowerBound + own.lowerBound, raw + frame.lowerBound + other.range.lowerBound, own.count)
          != 0
    }
    compile()
    return true
  }

  /// Makes holes of what looks random in a frame that came once, so that it does not stand among what is alike.
  func setApartNoise(_ raw: UnsafePointer<UInt8>) {
    guard count == 1 else { return }
    for (index, token) in tokens.enumerated() where token.kind == .string && token.range.count >= 128 {
      let bytes = UnsafeBufferPointer(
        start: raw + example.lowerBound + token.range.lowerBound, count: token.range.count)
      isHole[index] = ColumnMode.looksRandom(bytes)
    }
    if isHole.contains(true) { compile() }
  }

  private func compile() {
    holes = isHole.indices.filter { isHole[$0] }
    kinds = holes.map { tokens[$0].kind }
    literals = []
    var start = example.lowerBound
    for hole in holes {
      literals.append(start..<(example.lowerBound + tokens[hole].range.lowerBound))
      start = example.lowerBound + tokens[hole].range.upperBound
    }
    literals.append(start..<example.upperBound)
  }

  /// True if both frames have the same bytes between their tokens.
  private func hasSkeleton(_ raw: UnsafePointer<UInt8>, _ frame: Range<Int>, _ others: [FrameToken]) -> Bool {
    var own = 0
    var other = 0
    for index in 0...tokens.count {
      let ownEnd = index < tokens.count ? tokens[index].range.lowerBound : example.count
      let otherEnd = index < tokens.count ? others[index].range.lowerBound : frame.count
      guard ownEnd - own == otherEnd - other,
        memcmp(raw + example.lowerBound + own, raw + frame.lowerBound + other, ownEnd - own) == 0
      else { return false }
      guard index < tokens.count else { break }
      guard tokens[index].kind == others[index].kind else { return false }
      own = tokens[index].range.upperBound
      other = others[index].range.upperBound
    }
    return true
  }

  /// Of the bytes between the tokens.
  static func skeletonHash(_ frame: UnsafeBufferPointer<UInt8>, _ tokens: [FrameToken]) -> Int {
    var hasher = Hasher()
    var start = 0
    for token in tokens {
      hasher.combine(
        bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(frame)[start..<token.range.lowerBound]))
      hasher.combine(token.kind.rawValue)
      start = token.range.upperBound
    }
    hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(frame)[start...]))
    return hasher.finalize()
  }
}
