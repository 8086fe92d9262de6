package import TapeTypes

/// Constants and names of the segment format, version 1: see `schema/archive.md`.
package enum SegmentFormat {
  /// First word of the explaining text. The number is the major version.
  package static let magic = "tapedeck-segment/1"
  static let magicName = "tapedeck-segment/"
  package static let version = 1
  /// No frame needs a larger window than 2²³ bytes.
  package static let windowLog = 23
  /// A block is closed at so many calls or bytes of requests and responses, whichever comes first.
  package static let callsPerBlock = 250
  package static let bytesPerBlock = 4 << 20
  /// A segment is closed at so many bytes of requests and responses.
  package static let bytesPerSegment = 256 << 20
  /// A frame that claims to hold more is not decoded.
  package static let largestFrame = 1 << 30
  /// Nor is a call that claims to have more frames.
  package static let mostFrames = 1 << 26

  static let zstdMagic: UInt32 = 0xFD2F_B528
  /// Magic numbers of skippable frames (RFC 8878 §3.1.2); the last is that of zstd's seekable format.
  package static let timesMagic: UInt32 = 0x184D_2A51
  package static let proofsMagic: UInt32 = 0x184D_2A52
  package static let cutsMagic: UInt32 = 0x184D_2A53
  package static let sumsMagic: UInt32 = 0x184D_2A54
  package static let seekTableMagic: UInt32 = 0x184D_2A5E
  package static let seekFooterMagic: UInt32 = 0x8F92_EAB1

  static let explanation = """
    This is a tapedeck segment: calls to language models, sealed. `zstd -dc` shows all of it but times and salts.
    Per block of calls: a frame of text with a few lines per call (`# id start frames bytes body-bytes`, then `open`,
    `cuts`, `head` and `end`), and a frame with each call's request body and response, byte for byte; then, in frames
    that zstd skips, when each piece of a response came, and the salt that keeps a call's hash from being guessed.
    Last, an index of the calls (id, start, offset of the block, frames, bytes) and zstd's seek table.
    The whole format is in schema/archive.md of the tapedeck project.

    """

  /// - Parameters:
  ///   - writer: of the first call.
  ///   - first: that call's number.
  ///   - last: number of the last call of that writer.
  static func fileName(writer: CallID, first: Int, last: Int) -> String {
    "S-\(writer)-\(pad(first))-\(pad(last)).tape.zst"
  }

  private static func pad(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits
  }

  /// The writer of `S-<writer>-<first>-<last>.tape.zst`; nil for other names.
  package static func parse(fileName: String) -> (writer: CallID, first: Int, last: Int)? {
    guard fileName.utf8.count < 128, fileName.hasPrefix("S-"), fileName.hasSuffix(".tape.zst") else { return nil }
    let parts = fileName.dropFirst(2).dropLast(9).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, let writer = CallID(String(parts[0])), let first = Int(parts[1]), let last = Int(parts[2]),
      max(first, last) <= JournalFormat.largestCount,
      self.fileName(writer: writer, first: first, last: last) == fileName
    else { return nil }
    return (writer, first, last)
  }
}
