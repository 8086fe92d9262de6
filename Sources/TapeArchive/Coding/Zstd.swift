internal import CZstd
internal import TapeTypes

/// Why bytes are not the zstd frame that was expected.
struct ZstdError: Error, Equatable, CustomStringConvertible {
  var description: String
}

/// Makes zstd frames with content size and checksum. Owns a `ZSTD_CCtx`.
final class ZstdCompressor {
  private let context: OpaquePointer

  /// What is compressed.
  enum Content {
    case any
    /// Text: looked through longer for matches than the middle levels do.
    case text
    /// Text full of ids and hashes: in it short matches are chance, and cost more than what they replace.
    case ids
    /// Text much of which looks random: looking long for what is not there takes four times as long, for 3 % of the text.
    case noise
  }

  /// - Parameter level: 1 to 22; the window stays within ``SegmentFormat/windowLog`` at every level.
  init(level: Int, for content: Content = .any) throws(ZstdError) {
    guard let context = ZSTD_createCCtx() else { throw ZstdError(description: "no memory for a zstd compressor") }
    self.context = context
    let isMiddle = (6...12).contains(level)
    let level = isMiddle && content == .noise ? 4 : level
    try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level)))
    try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
    if isMiddle {
      switch content {
      case .any: break
      case .text: try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_searchLog, 6))
      case .ids:
        try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_searchLog, 6))
        try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 6))
      case .noise: try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7))
      }
    }
    // Levels up to 19 stay below it by themselves.
    if level > 19 { try Zstd.check(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, Int32(SegmentFormat.windowLog))) }
  }

  deinit { ZSTD_freeCCtx(context) }

  func compress(_ bytes: [UInt8]) throws(ZstdError) -> [UInt8] {
    var result = 0
    let out = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
      result = ZSTD_compress2(context, buffer.baseAddress, buffer.count, bytes, bytes.count)
      count = ZSTD_isError(result) == 0 ? result : 0
    }
    try Zstd.check(result)
    return out
  }
}

/// Reads zstd frames without trusting them. Owns a `ZSTD_DCtx`.
final class ZstdDecompressor {
  private let context: OpaquePointer

  init() throws(ZstdError) {
    guard let context = ZSTD_createDCtx() else { throw ZstdError(description: "no memory for a zstd decompressor") }
    self.context = context
    try Zstd.check(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Int32(SegmentFormat.windowLog)))
  }

  deinit { ZSTD_freeDCtx(context) }

  /// The content of exactly one frame, which has to state its size and have at most `limit` bytes.
  func decompress(_ frame: UnsafeRawBufferPointer, limit: Int) throws(ZstdError) -> [UInt8] {
    let declared = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
    guard declared < UInt64(Int64.max) else { throw ZstdError(description: "a frame that does not state its size") }
    // zstd's densest block stands for 128 KiB in four bytes: nothing honest claims more.
    guard declared <= UInt64(limit), declared / 32_768 <= UInt64(frame.count) else {
      throw ZstdError(description: "a frame that claims to hold \(declared) bytes")
    }
    let size = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
    try Zstd.check(size)
    guard size == frame.count else { throw ZstdError(description: "bytes behind a frame") }
    var result = 0
    let out = [UInt8](unsafeUninitializedCapacity: Int(declared)) { buffer, count in
      result = ZSTD_decompressDCtx(context, buffer.baseAddress, buffer.count, frame.baseAddress, frame.count)
      count = ZSTD_isError(result) == 0 ? min(result, buffer.count) : 0
    }
    try Zstd.check(result)
    guard out.count == Int(declared) else { throw ZstdError(description: "a frame of another size than it states") }
    return out
  }

  func decompress(_ frame: ArraySlice<UInt8>, limit: Int) throws(ZstdError) -> [UInt8] {
    let result = frame.withUnsafeBytes { buffer -> Result<[UInt8], ZstdError> in
      do throws(ZstdError) { return .success(try decompress(buffer, limit: limit)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  func decompress(_ frame: [UInt8], limit: Int) throws(ZstdError) -> [UInt8] {
    try decompress(frame[...], limit: limit)
  }
}

enum Zstd {
  static func check(_ result: Int) throws(ZstdError) {
    if ZSTD_isError(result) != 0 { throw ZstdError(description: "zstd: \(String(cString: ZSTD_getErrorName(result)))") }
  }
}
