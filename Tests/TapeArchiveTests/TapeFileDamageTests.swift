internal import Crypto
import TapeArchive
import TapeTypes
import Testing

/// A tape that was changed by someone who can make checksums.
@Suite struct TapeFileDamageTests {
  private func tape() -> (call: RecordedCall, bytes: [UInt8]) {
    let raw = Array("data: {\"a\":\"\u{202E}\"}\n\n: \u{1B}[31m\n\n".utf8) + [0xFF]
    let open = CallOpen(
      id: CallID(high: 0x0192_0000_0000_0001, low: 7), startedAtNs: 5, origin: .proxy, upstream: "u", path: "/p",
      body: Array("{}".utf8), salt: [UInt8](repeating: 3, count: 16))
    let call = RecordedCall(
      open: open, head: CallHead(offsetNs: 1, status: 200, headers: [HeaderField("A", "b")]),
      end: CallEnd(offsetNs: 9, cause: .endOfBody, frames: 3, bytes: raw.count, sha256: Array(SHA256.hash(data: raw))),
      raw: raw, frameEnds: [22, raw.count - 1, raw.count], frameOffsetsNs: [2, 3, 4])
    var writer = TapeFile.Writer()
    return (call, writer.start(nil) + writer.call(call, nil) + writer.finish())
  }

  private func read(_ bytes: [UInt8]) throws -> [RecordedCall] {
    var reader = TapeFile.Reader()
    var calls: [RecordedCall] = []
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
    if lines.last == [] { lines.removeLast() }
    for line in lines { if let entry = try line.withUnsafeBytes({ try reader.take($0) }) { calls.append(entry.call) } }
    try reader.finish()
    return calls
  }

  private func withSum(_ lines: some Sequence<UInt8>) -> [UInt8] {
    let lines = Array(lines)
    return lines + Array("sha256 \(Hex.string(SHA256.hash(data: lines)))\n".utf8)
  }

  /// Whoever makes the checksum anew has not made the leaf hash, nor the count.
  @Test func aChangeWithARightChecksumGivesTheSameCallsOrNone() throws {
    let (call, bytes) = tape()
    #expect(try read(bytes) == [call])
    let lines = bytes.dropLast(72)
    for place in lines.indices {
      var changed = Array(lines)
      changed[place] ^= 0x01
      if let calls = try? read(withSum(changed)) { #expect(calls == [call], "byte \(place)") }
      if let calls = try? read(withSum(lines.prefix(place))) { #expect(calls == [call], "\(place) bytes") }
    }
    #expect(throws: TapeError.self) { try read(withSum("tapedeck-tape/1\n".utf8)) }
    #expect(throws: TapeError.self) { try read(withSum("tapedeck-tape/1\nend of tape, 1 calls\n".utf8)) }
    #expect(try read(withSum("tapedeck-tape/1\nend of tape, 0 calls\n".utf8)) == [])
  }
}
