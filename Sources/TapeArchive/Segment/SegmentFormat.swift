package import TapeTypes

/// Constants and names of the segment format, version 1: see `schema/archive.md`.
package enum SegmentFormat {
  /// First word of the explaining text. The number is the major version.
  package static let magic = "tapedeck-segment/1"
  static let magicName = "tapedeck-segment/"
  package static let version = 1
  /// No frame needs a larger window than 2²³ bytes.
  package static let windowLog = 23
  /// A block is closed at so many calls, bytes of text, or bytes of requests and responses, counting 16 for each frame,
  /// whichever comes first. A block of several calls is so never one that its reader does not believe (`freeBytes`).
  package static let callsPerBlock = 300
  package static let textPerBlock = 1 << 20
  package static let bytesPerBlock = 128 << 20
  /// A segment is closed at so many bytes of requests and responses.
  package static let bytesPerSegment = 512 << 20
  /// A frame that claims to hold more is not decoded.
  package static let largestFrame = 1 << 28
  /// Nor a block whose calls claim to hold more, counting 16 bytes for each of their frames.
  static let largestBlock = 1 << 30
  /// So many bytes of calls are believed to come out of any block; more have to be justified by its size.
  package static let freeBytes = 128 << 20
  /// Nor is a segment read that claims to consist of more.
  static let mostZstdFrames = 1 << 20
  /// Nor is a call that claims to have more frames, or more than its bytes and these.
  package static let mostFrames = 1 << 26
  package static let mostEmptyFrames = 1 << 16

  /// Whether a call of so many bytes may have so many frames: memory is taken for each.
  static func allows(frames: Int, bytes: Int) -> Bool {
    frames <= mostFrames && frames - mostEmptyFrames <= bytes
  }

  static let zstdMagic: UInt32 = 0xFD2F_B528
  /// Magic numbers of skippable frames (RFC 8878 §3.1.2); the last is that of zstd's seekable format.
  package static let timesMagic: UInt32 = 0x184D_2A51
  package static let proofsMagic: UInt32 = 0x184D_2A52
  package static let cutsMagic: UInt32 = 0x184D_2A53
  package static let sumsMagic: UInt32 = 0x184D_2A54
  package static let seekTableMagic: UInt32 = 0x184D_2A5E
  package static let seekFooterMagic: UInt32 = 0x8F92_EAB1
  /// The explaining text is shorter, compressed.
  static let longestStart = 4096
  /// A skippable frame without content, that says nothing.
  static let emptyFrame: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]

  static let explanation = """
    This is a tapedeck segment: calls to language models, sealed. `zstd -dc` shows all of it but where texts were split,
    when each frame came, and the salts that keep a call's hash from being guessed: those stand in frames that zstd skips.
    A block of calls is two frames of text. The first has a few lines for each call, from `# id start frames bytes` on:
    `open`, `head` and `end` are JSON; `frame` is a shape of the response's frames, `␛<0>` in it is where a value of column
    0 stands, and `frame+9` begins with the first 9 bytes of the call's first shape; `order` tells which shapes followed
    each other and how often; then the columns, `numbers` with differences. The second has a line for each request and
    each column, all of its values joined, behind the call's id: `zstd -dc FILE | grep 'a phrase'` finds a phrase that came
    in pieces. `␛0A` is a byte that is no text, here a line feed; behind a label, `\\u` says that characters beyond ASCII
    were sent as escapes. Last, an index of the calls (id, start, offset of the block, frames, bytes, leaf hash) and zstd's
    seek table. `tapedeck cat CALL` gives the exact bytes. The whole format is in schema/archive.md of the tapedeck project.

    """

  /// The first frame of a segment.
  static func start(coding: String, level: Int) -> String {
    "\(magic) \(coding)\n\(explanation)\(levelLine)\(level)\n"
  }

  /// What stands before the zstd level, on the last line of the first frame.
  private static let levelLine = "Compressed at zstd level "

  /// The level that the first frame says; nil where it does not.
  static func level(in start: [UInt8]) -> Int? {
    guard let line = start.split(separator: 0x0A).last, line.starts(with: levelLine.utf8) else { return nil }
    return Decimal.parse(line.dropFirst(levelLine.utf8.count))
  }

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
