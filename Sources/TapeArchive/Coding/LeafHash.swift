internal import Crypto
package import TapeTypes

/// SHA-256(0x00 ‖ salt ‖ H(meta) ‖ H(raw) ‖ H(times)), 32 bytes: see `schema/archive.md`.
///
/// It covers everything a call consists of, so it is the same in a journal, in a segment of
/// any coding, and after export and import.
package func leafHash(of call: RecordedCall) -> [UInt8] {
  var hasher = LeafHasher()
  call.raw.withUnsafeBytes { raw in
    var start = 0
    for index in 0..<call.frameCount {
      let end = call.frameEnds[index]
      hasher.frame(offsetNs: call.frameOffsetNs(index), UnsafeRawBufferPointer(rebasing: raw[start..<end]))
      start = end
    }
  }
  return hasher.finish(open: call.open, head: call.head, end: call.end)
}

/// The leaf hash while the frames come in.
package struct LeafHasher {
  private var raw = SHA256()
  private var times = SHA256()
  private(set) var frames: UInt64 = 0
  private(set) var bytes: UInt64 = 0

  package init() {}

  /// - Parameter offsetNs: nil in every frame of a call without clock.
  package mutating func frame(offsetNs: Int64?, _ frame: UnsafeRawBufferPointer) {
    raw.update(bufferPointer: frame)
    frames += 1
    bytes += UInt64(frame.count)
    if let offsetNs { Self.add(UInt64(bitPattern: offsetNs), to: &times) }
    Self.add(bytes, to: &times)
  }

  /// SHA-256 of the raw bytes so far.
  package var rawHash: [UInt8] { Array(raw.finalize()) }

  package func finish(open: CallOpen, head: CallHead?, end: CallEnd?) -> [UInt8] {
    var meta = SHA256()
    for part in [CallCoding.json(open), open.body, head.map { CallCoding.json($0) }, end.map { CallCoding.json($0) }] {
      // No part is 2⁶⁴ − 1 bytes long: that count says that there is none.
      Self.add(part.map { UInt64($0.count) } ?? .max, to: &meta)
      if let part { meta.update(data: part) }
    }
    var times = times
    Self.add(frames, to: &times)
    Self.add(open.hasTimes ? 1 : 0, to: &times)

    var leaf = SHA256()
    leaf.update(data: [0x00])
    leaf.update(data: open.salt)
    leaf.update(data: Array(meta.finalize()))
    leaf.update(data: rawHash)
    leaf.update(data: Array(times.finalize()))
    return Array(leaf.finalize())
  }

  private static func add(_ value: UInt64, to hasher: inout SHA256) {
    withUnsafeBytes(of: value.littleEndian) { hasher.update(bufferPointer: $0) }
  }
}
