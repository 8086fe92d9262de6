internal import CTapeShims

/// The CRC of RFC 3720 §12.1 (Castagnoli).
package enum CRC32C {
  package static func of(_ bytes: some Collection<UInt8>) -> UInt32 {
    bytes.withContiguousStorageIfAvailable { tape_crc32c(0, $0.baseAddress, $0.count) }
      ?? Array(bytes).withUnsafeBufferPointer { tape_crc32c(0, $0.baseAddress, $0.count) }
  }
}
