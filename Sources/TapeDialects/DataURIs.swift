#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Finding `data:` URIs in text (RFC 2397), alone or inside of it.
enum DataURIs {
  /// The text with each data: URI replaced by its placeholder; nil if there is none.
  static func replaced(in bytes: UnsafeRawBufferPointer, _ found: InlineMedia.Finder? = nil) -> String? {
    var out: [UInt8] = []
    var copied = 0
    var position = 0
    while let start = find(in: bytes, from: position) {
      position = start + 5
      guard let uri = read(bytes, at: start) else { continue }
      out.append(contentsOf: bytes[copied..<start])
      found?(uri.type, uri.media)
      out.append(contentsOf: InlineMedia.placeholder(uri.type, uri.media).utf8)
      copied = uri.end
      position = uri.end
    }
    if copied == 0 { return nil }
    out.append(contentsOf: bytes[copied...])
    return String(decoding: out, as: UTF8.self)
  }

  /// Reads `data:[type][;parameter]*[;base64],data`. Words such as "data: a, b" are none: without
  /// `;base64` there must be a type with a slash.
  private static func read(
    _ bytes: UnsafeRawBufferPointer, at start: Int
  ) -> (type: String, media: [UInt8], end: Int)? {
    var comma = start + 5
    while comma < bytes.count, bytes[comma] != 0x2C {
      guard isHeaderByte(bytes[comma]), comma - start < 200 else { return nil }
      comma += 1
    }
    guard comma < bytes.count else { return nil }
    let header = String(decoding: bytes[start + 5..<comma], as: UTF8.self)
    let isBase64 = header.lowercased().hasSuffix(";base64")
    let named = String(header.prefix { $0 != ";" })
    guard isBase64 || named.contains("/") else { return nil }
    let type = named.contains("/") ? named : "text/plain"
    var end = comma + 1
    if isBase64 {
      while end < bytes.count, Base64.value(bytes[end]) != nil || bytes[end] == 0x3D { end += 1 }
      guard end > comma + 1 else { return nil }
      let text = UnsafeRawBufferPointer(rebasing: bytes[comma + 1..<end])
      // Broken base64 is media all the same: then its text is what is measured.
      return (type, Base64.decode(text) ?? Array(text), end)
    }
    while end < bytes.count, isURIByte(bytes[end]) { end += 1 }
    return (type, percentDecoded(bytes[comma + 1..<end]), end)
  }

  private static func isHeaderByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case UInt8(ascii: "/"), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "-"), UInt8(ascii: "+"),
      UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "\""), UInt8(ascii: "%"):
      true
    default: false
    }
  }

  /// A byte that does not end a URI in running text.
  private static func isURIByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x29 && byte != 0x5D
  }

  private static func percentDecoded(_ bytes: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
    var out: [UInt8] = []
    var position = bytes.startIndex
    while position < bytes.endIndex {
      if bytes[position] == 0x25, position + 2 < bytes.endIndex,
        let byte = UInt8(String(decoding: bytes[position + 1...position + 2], as: UTF8.self), radix: 16)
      {
        out.append(byte)
        position += 3
      } else {
        out.append(bytes[position])
        position += 1
      }
    }
    return out
  }

  /// The next `data:` at or behind `start`, found by its colon.
  private static func find(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    var position = start + 4
    while position < bytes.count, let found = memchr(base + position, 0x3A, bytes.count - position) {
      let colon = UnsafeRawPointer(found) - base
      if memcmp(base + colon - 4, "data:", 5) == 0 { return colon - 4 }
      position = colon + 1
    }
    return nil
  }
}

/// RFC 4648 base64, both alphabets, padding optional.
enum Base64 {
  /// The decoded bytes; nil if the text is not base64 from end to end (line ends are allowed).
  static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    var out: [UInt8] = []
    out.reserveCapacity(text.count / 4 * 3 + 3)
    var bits: UInt32 = 0
    var count = 0
    var isPadding = false
    for byte in text {
      if byte == 0x0A || byte == 0x0D { continue }
      if byte == 0x3D {
        isPadding = true
        continue
      }
      guard !isPadding, let value = value(byte) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 1
      if count == 4 {
        out.append(UInt8(truncatingIfNeeded: bits >> 16))
        out.append(UInt8(truncatingIfNeeded: bits >> 8))
        out.append(UInt8(truncatingIfNeeded: bits))
        (bits, count) = (0, 0)
      }
    }
    switch count {
    case 0: break
    case 2: out.append(UInt8(truncatingIfNeeded: bits >> 4))
    case 3:
      out.append(UInt8(truncatingIfNeeded: bits >> 10))
      out.append(UInt8(truncatingIfNeeded: bits >> 2))
    default: return nil
    }
    return out
  }

  @inline(__always)
  static func value(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x41...0x5A: byte - 0x41
    case 0x61...0x7A: byte - 0x61 + 26
    case 0x30...0x39: byte - 0x30 + 52
    case 0x2B, 0x2D: 62
    case 0x2F, 0x5F: 63
    default: nil
    }
  }
}
