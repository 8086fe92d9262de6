import TapeJSON

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lets a `switch` over a key's bytes have names as its cases; nothing is decoded or copied.
@inline(__always)
func ~= (name: StaticString, bytes: UnsafeRawBufferPointer) -> Bool {
  guard bytes.count == name.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
  return memcmp(base, name.utf8Start, bytes.count) == 0
}

extension JSONCursor {
  /// Hands out the bytes of a key's name: as they lie, or decoded if it was written with escapes.
  @inline(__always)
  func withName<Result>(_ key: JSONSlice, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    if !key.hasEscapes { return body(raw(key)) }
    var name = string(key)
    return name.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }
}
