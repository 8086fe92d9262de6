internal import Crypto
package import TapeTypes

/// A tape: calls in one file that explains itself, with every byte, every time and their proofs. See `schema/tape.md`.
package enum TapeFile {
  /// The first line. The number is the major version.
  package static let magic = "tapedeck-tape/1"
  package static let magicName = "tapedeck-tape/"

  /// Where a call is in the tree of the tape's checkpoint.
  package struct Place: Equatable, Sendable {
    package var leafNumber: Int
    package var path: [MerkleHash]

    package init(leafNumber: Int, path: [MerkleHash]) {
      self.leafNumber = leafNumber
      self.path = path
    }
  }

  static let explanation = """
    # This is a tape: calls to language models, as tapedeck recorded them, with every byte and the time of each frame.
    # It is made to be read by people and by `tapedeck import`, which checks all of it. Credentials were removed before
    # the calls were recorded. Of each call:
    #   call ID        open, head, end: what is known of request, response head and end, as JSON; times are
    #                  nanoseconds, those of a call count from its started_at_ns
    #   request N      the request's body, N bytes. Bytes stand behind bars: \\n is a line feed, \\r a carriage return,
    #                  \\t a tab, \\\\ a backslash, \\xHH any other byte; the line breaks of this file do not count
    #   frame T N      a piece of the response, N bytes, that was complete T nanoseconds after the start (- if unknown)
    #   salt, leaf     leaf is the SHA-256 that the archive knows the call by; the salt keeps it from being guessed
    #   proof I H...   the call is number I of those that the checkpoint above was made of (RFC 6962, 2.1.1)
    # The last line is the SHA-256 of all lines before it. The format is in schema/tape.md of the tapedeck project.

    """

  /// Makes the lines of a tape, and the checksum over them.
  package struct Writer {
    private var hash = SHA256()
    private var calls = 0

    package init() {}

    /// - Parameter note: the checkpoint of which the calls' proofs are; nil if none of them is sealed.
    package mutating func start(_ note: CheckpointNote?) -> [UInt8] {
      var out = Array("\(TapeFile.magic)\n\(TapeFile.explanation)".utf8)
      if let note {
        out += Array("\ncheckpoint\n".utf8)
        BarredText.append(note.note.bytes[...], to: &out)
      }
      return counted(out)
    }

    package mutating func call(_ call: RecordedCall, _ place: Place?) -> [UInt8] {
      calls += 1
      var out = Array("\ncall \(call.open.id)\nopen ".utf8)
      out += BarredText.safe(json: CallCoding.json(call.open))
      out += Array("\nsalt \(Hex.string(call.open.salt))\nrequest \(call.open.body.count)\n".utf8)
      BarredText.append(call.open.body[...], to: &out)
      if let head = call.head { out += Array("head ".utf8) + BarredText.safe(json: CallCoding.json(head)) + [0x0A] }
      for index in 0..<call.frameCount {
        let range = call.frameRange(index)
        let time = call.frameOffsetNs(index).map { "\($0)" } ?? "-"
        out += Array("frame \(time) \(range.count)\n".utf8)
        BarredText.append(call.raw[range], to: &out)
      }
      if let end = call.endJSON { out += Array("end ".utf8) + BarredText.safe(json: end) + [0x0A] }
      out += Array("leaf \(Hex.string(leafHash(of: call)))\n".utf8)
      if let place {
        out += Array("proof \(place.leafNumber)\(place.path.map { " \($0)" }.joined())\n".utf8)
      }
      return counted(out)
    }

    package mutating func finish() -> [UInt8] {
      let last = counted(Array("\nend of tape, \(calls) calls\n".utf8))
      return last + Array("sha256 \(Hex.string(hash.finalize()))\n".utf8)
    }

    private mutating func counted(_ bytes: [UInt8]) -> [UInt8] {
      hash.update(data: bytes)
      return bytes
    }
  }
}
