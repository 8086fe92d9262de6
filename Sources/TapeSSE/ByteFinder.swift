#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Finds one byte value again and again in one buffer, reading no byte twice.
struct ByteFinder {
  private let value: Int32
  /// The last hit; hits before the wanted position are looked for anew.
  private var hit = -1

  init(_ value: UInt8) { self.value = Int32(value) }

  /// The first place at or behind `position`, or the count.
  mutating func next(in bytes: UnsafeRawBufferPointer, from position: Int) -> Int {
    if hit >= position { return hit }
    guard let base = bytes.baseAddress, let found = memchr(base + position, value, bytes.count - position) else {
      hit = bytes.count
      return hit
    }
    hit = UnsafeRawPointer(found) - base
    return hit
  }
}
