internal import CTapeShims
package import TapeTypes

/// What a journal record says. The raw value is its word in the file.
package enum JournalKind: String, CaseIterable, Sendable {
  case journal, open, head, frame, delta, part, end, resume, gap, batch
}

/// Constants and names of the journal format, version 1: see `schema/archive.md`.
package enum JournalFormat {
  /// First field of a `journal` record. The number is the major version.
  package static let magic = "tapedeck-journal/1"
  static let magicName = "tapedeck-journal/"
  package static let version = 1
  /// A longer frame never becomes a call's key frame.
  package static let largestKey = 64 << 10
  /// A call has a key frame at least every so many frames.
  package static let framesPerKey = 64
  /// No number of a record but a time is larger, nor one in the name of a file.
  static let largestCount = 1 << 48
  /// A record that says it has more is none: no frame and no request comes near it. Nor is more than that a torn tail.
  static let largestRecord = 1 << 29
  /// No record's first line is longer.
  static let longestLine = 512
  /// Bytes of the checksum and the space behind it.
  static let checksumWidth = 9
  static let chainBytes = 32

  static let explanation = """
    This is a tapedeck journal: calls to language models while they are recorded. Every record is a line
    `crc32c length kind fields`, then `length` bytes, then a line feed. n is a call's number, i a frame's.
    open n id m salt: m bytes of JSON, a line feed, the request body. head n: JSON. frame n i ns at: a frame, or its
    rest behind `at` bytes of parts. delta n i ns p s: the first p and last s bytes of the call's last key frame
    around these. part n i ns at: bytes of a frame that goes on. end n: JSON. gap n i frames bytes: not on tape.
    resume n id i bytes at: a call of an earlier journal goes on. batch seq chain: all above was one write.
    The whole format is in schema/archive.md of the tapedeck project.
    """

  package static func fileName(writer: CallID, sequence: Int) -> String {
    let digits = String(sequence)
    return "J-\(writer)-\(String(repeating: "0", count: max(0, 6 - digits.utf8.count)))\(digits).tape"
  }

  /// The empty file that asks the writer of a journal to start the next one.
  static func rollRequest(for journal: String) -> String { journal + rollSuffix }
  static let rollSuffix = ".roll"

  /// Writer and sequence of `J-<writer>-<seq>.tape`; nil for other names.
  package static func parse(fileName: String) -> (writer: CallID, sequence: Int)? {
    let name = Array(fileName.utf8)
    guard name.count >= 2 + 26 + 1 + 6 + 5, name.starts(with: "J-".utf8), name[28] == 0x2D,
      name.suffix(5).elementsEqual(".tape".utf8),
      let writer = CallID(String(decoding: name[2..<28], as: UTF8.self)),
      let sequence = Int(String(decoding: name[29..<(name.count - 5)], as: UTF8.self)),
      (1...largestCount).contains(sequence),
      self.fileName(writer: writer, sequence: sequence) == fileName
    else { return nil }
    return (writer, sequence)
  }

  /// Checksums start from the CRC32C of the file's name, so that a record copied from elsewhere, or text
  /// inside a payload that looks like a record, is none.
  static func seed(writer: CallID, sequence: Int) -> UInt32 {
    let name = Array(fileName(writer: writer, sequence: sequence).utf8)
    return tape_crc32c(0, name, name.count)
  }
}
