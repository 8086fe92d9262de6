/// How much two byte strings share at their start and end: what a delta record leaves out.
enum FrameDelta {
  /// Lengths of the common prefix and suffix; together at most the shorter string.
  static func shared(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> (prefix: Int, suffix: Int) {
    guard let left = a.baseAddress, let right = b.baseAddress else { return (0, 0) }
    let shorter = min(a.count, b.count)
    let prefix = commonPrefix(left, right, shorter)
    let suffix = commonSuffix(left + a.count, right + b.count, shorter - prefix)
    return (prefix, suffix)
  }

  private static func commonPrefix(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ limit: Int) -> Int {
    var index = 0
    while index + 8 <= limit {
      let difference =
        UInt64(littleEndian: a.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        ^ UInt64(littleEndian: b.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      if difference != 0 { return index + difference.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < limit, a.load(fromByteOffset: index, as: UInt8.self) == b.load(fromByteOffset: index, as: UInt8.self)
    {
      index += 1
    }
    return index
  }

  /// Both pointers are behind the last byte.
  private static func commonSuffix(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ limit: Int) -> Int {
    var count = 0
    while count + 8 <= limit {
      let difference =
        UInt64(littleEndian: a.loadUnaligned(fromByteOffset: -count - 8, as: UInt64.self))
        ^ UInt64(littleEndian: b.loadUnaligned(fromByteOffset: -count - 8, as: UInt64.self))
      if difference != 0 { return count + difference.leadingZeroBitCount / 8 }
      count += 8
    }
    while count < limit,
      a.load(fromByteOffset: -count - 1, as: UInt8.self) == b.load(fromByteOffset: -count - 1, as: UInt8.self)
    {
      count += 1
    }
    return count
  }
}
