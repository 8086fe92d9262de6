internal import CZstd

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Looks for bytes in files as they lie and in everything that zstd can make of them, by none of the archive's own
/// readers: also in frames that no index names, and in the beginnings of frames that were never finished.
package enum DiskScan {
  /// The file, and what each zstd frame in it holds.
  package static func contents(_ file: [UInt8]) -> [[UInt8]] {
    let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    var contents = [file]
    var start = 0
    while let at = position(of: magic, in: file, from: start) {
      let (content, size) = decompress(file, from: at)
      if !content.isEmpty { contents.append(content) }
      start = at + max(1, size)
    }
    return contents
  }

  /// Which of the needles some file has, with the file.
  package static func find(_ needles: [[UInt8]], on disk: MemoryDisk) -> [(path: String, needle: [UInt8])] {
    disk.paths.flatMap { path in
      let contents = contents(disk.bytes(path))
      return needles.filter { needle in contents.contains { position(of: needle, in: $0, from: 0) != nil } }
        .map { (path, $0) }
    }
  }

  private static func position(of needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard let first = needle.first else { return nil }
    return bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return nil }
      var start = start
      while start + needle.count <= buffer.count,
        let found = memchr(base + start, Int32(first), buffer.count - start - needle.count + 1)
      {
        let at = UnsafeRawPointer(found) - base
        if memcmp(found, needle, needle.count) == 0 { return at }
        start = at + 1
      }
      return nil
    }
  }

  /// What can be had of the frame at an offset, and how many bytes of the file it takes; 1 if it is none.
  private static func decompress(_ file: [UInt8], from start: Int) -> (content: [UInt8], size: Int) {
    guard let stream = ZSTD_createDStream() else { return ([], 1) }
    defer { ZSTD_freeDStream(stream) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    return file.withUnsafeBytes { buffer in
      var input = ZSTD_inBuffer(src: buffer.baseAddress, size: buffer.count, pos: start)
      while true {
        var left = 0
        let made = chunk.withUnsafeMutableBytes { out in
          var output = ZSTD_outBuffer(dst: out.baseAddress, size: out.count, pos: 0)
          left = ZSTD_decompressStream(stream, &output, &input)
          return output.pos
        }
        content += chunk[..<made]
        if ZSTD_isError(left) != 0 { return (content, content.isEmpty ? 1 : 4) }
        if left == 0 || made == 0 && input.pos == input.size { return (content, input.pos - start) }
      }
    }
  }
}
