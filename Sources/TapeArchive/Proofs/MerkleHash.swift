internal import Crypto

/// 32 bytes of SHA-256 in the archive's Merkle tree: a call's leaf hash, or that of an inner node.
package struct MerkleHash: Hashable, Sendable, CustomStringConvertible {
  package static let byteCount = 32
  private var words: SIMD4<UInt64>

  /// nil unless there are exactly 32 bytes.
  package init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    words = .zero
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
  }

  /// nil for anything but 64 hex digits in lower case.
  package init?(hex: some Collection<UInt8>) {
    guard hex.count == 2 * Self.byteCount, let bytes = Hex.bytes(hex) else { return nil }
    self.init(bytes)
  }

  private init(_ digest: SHA256.Digest) {
    words = .zero
    withUnsafeMutableBytes(of: &words) { target in digest.withUnsafeBytes { target.copyMemory(from: $0) } }
  }

  package var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }
  package var description: String { Hex.string(bytes) }

  /// The root of a tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
  package static let empty = MerkleHash(SHA256.hash(data: [UInt8]()))

  /// An inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1). Leaves begin with 0x00, so none passes for a node.
  package static func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
    withUnsafeTemporaryAllocation(byteCount: 1 + 2 * byteCount, alignment: 1) { buffer in
      buffer[0] = 0x01
      withUnsafeBytes(of: left.words) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0)
      }
      withUnsafeBytes(of: right.words) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[33..<65]).copyMemory(from: $0)
      }
      return MerkleHash(SHA256.hash(data: UnsafeRawBufferPointer(buffer)))
    }
  }
}
