/// Arrival times as ``TimesCoding`` has them, but with the symbols of calls that are alike together: what a fast stream
/// and what a slow one needs are different codes.
///
/// A varint with the number of groups; for each group a varint with the length of a zstd frame, and that frame, of the
/// symbols of its calls one after the other; if there are several groups, one more such frame with a byte for each
/// call, its group; the low bits of all calls in their order.
enum GroupedTimes {
  private static let mostGroups = 8
  /// A group of fewer symbols does not pay for its code.
  private static let symbolsPerGroup = 4096

  static func encode(_ calls: [[Int64]]) throws -> [UInt8] {
    var bits = BitWriter()
    let symbols = calls.map { TimesCoding.symbols($0, &bits) }
    let total = symbols.reduce(0) { $0 + $1.count }
    guard total > 0 else { return [] }
    let count = max(1, min(mostGroups, total / symbolsPerGroup))
    let groups = groups(symbols, count, total)
    var out: [UInt8] = []
    out.append(varint: count)
    // A low level: symbols hardly repeat in order, and what is found by chance costs more than their code.
    let compressor = try ZstdCompressor(level: 1)
    func add(_ bytes: [UInt8]) throws {
      let frame = try compressor.compress(bytes)
      out.append(varint: frame.count)
      out += frame
    }
    for group in 0..<count {
      try add(symbols.indices.filter { groups[$0] == group }.flatMap { symbols[$0] })
    }
    if count > 1 { try add(groups) }
    return out + bits.finish()
  }

  /// Calls of like speed have the same group.
  private static func groups(_ symbols: [[UInt8]], _ count: Int, _ total: Int) -> [UInt8] {
    var groups = [UInt8](repeating: 0, count: symbols.count)
    let middles = symbols.map { $0.isEmpty ? 0 : $0.sorted()[$0.count / 2] }
    var seen = 0
    for call in symbols.indices.sorted(by: { (middles[$0], $0) < (middles[$1], $1) }) {
      groups[call] = UInt8(min(count - 1, seen * count / total))
      seen += symbols[call].count
    }
    return groups
  }

  /// Total on any bytes.
  struct Decoder {
    private var symbols: [[UInt8]] = []
    private var positions: [Int] = []
    private var groups: [UInt8] = []
    private var bits = BitReader([])
    private var call = 0

    init(_ bytes: [UInt8]) throws {
      guard !bytes.isEmpty else { return }
      var reader = ByteReader(bytes)
      let decompressor = try ZstdDecompressor()
      // Of all groups together: a few bytes of zstd may claim as much of each.
      var left = 2 * SegmentFormat.mostFrames
      func frame() throws -> [UInt8] {
        guard let size = reader.varint(), let frame = reader.take(size) else { throw BlockError("the times' symbols") }
        let content = try decompressor.decompress(frame, limit: min(left, SegmentFormat.mostFrames))
        left -= content.count
        return content
      }
      guard let count = reader.varint(), count > 0, count <= GroupedTimes.mostGroups else {
        throw BlockError("the times' groups")
      }
      for _ in 0..<count { symbols.append(try frame()) }
      if count > 1 { groups = try frame() }
      positions = [Int](repeating: 0, count: count)
      bits = BitReader(bytes, from: reader.position)
    }

    var isAtEnd: Bool {
      zip(symbols, positions).allSatisfy { $0.count == $1 } && bits.isAtEnd && (groups.isEmpty || call == groups.count)
    }

    /// The offsets of the next call with clock.
    mutating func next(_ count: Int) throws(BlockError) -> [Int64] {
      let range = try range(count)
      var offsets: [Int64] = []
      offsets.reserveCapacity(count)
      var offset: Int64 = 0
      for position in range.symbols {
        offset &+= try TimesCoding.gap(symbols[range.group][position], &bits)
        offsets.append(offset)
      }
      return offsets
    }

    mutating func skip(_ count: Int) throws(BlockError) {
      let range = try range(count)
      for position in range.symbols { _ = try TimesCoding.gap(symbols[range.group][position], &bits) }
    }

    private mutating func range(_ count: Int) throws(BlockError) -> (group: Int, symbols: Range<Int>) {
      defer { call += 1 }
      if symbols.isEmpty, count == 0 { return (0, 0..<0) }
      let group = groups.isEmpty ? 0 : call < groups.count ? Int(groups[call]) : .max
      guard group < symbols.count, count <= symbols[group].count - positions[group] else {
        throw BlockError("too few times")
      }
      defer { positions[group] += count }
      return (group, positions[group]..<(positions[group] + count))
    }
  }
}
