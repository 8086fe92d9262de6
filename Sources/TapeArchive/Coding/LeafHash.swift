internal import Crypto
package import TapeTypes

/// SHA-256(0x00 ‖ salt ‖ H(meta) ‖ H(raw) ‖ H(times)), 32 bytes: see `schema/archive.md`.
///
/// It covers everything a call consists of, so it is the same in a journal, in a segment of
/// any coding, and after export and import.
package func leafHash(of call: RecordedCall) -> [UInt8] {
  leafHash(of: call, rawHash: Array(SHA256.hash(data: call.raw)))
}

/// The same, for whoever has hashed the response already.
///
/// - Parameter rawHash: SHA-256 of the response.
func leafHash(of call: RecordedCall, rawHash: [UInt8]) -> [UInt8] {
  var times: [UInt8] = []
  times.reserveCapacity(16 * call.frameCount + 16)
  for (index, end) in call.frameEnds.enumerated() {
    if let offset = call.frameOffsetNs(index) { times.append(uint64: UInt64(bitPattern: offset)) }
    times.append(uint64: UInt64(end))
  }
  times.append(uint64: UInt64(call.frameCount))
  times.append(uint64: call.open.hasTimes ? 1 : 0)
  return LeafHasher.leaf(
    open: call.open, head: call.head, end: call.end, rawHash: rawHash, timesHash: Array(SHA256.hash(data: times)))
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
    var times = times
    Self.add(frames, to: &times)
    Self.add(open.hasTimes ? 1 : 0, to: &times)
    return Self.leaf(open: open, head: head, end: end, rawHash: rawHash, timesHash: Array(times.finalize()))
  }

  fileprivate static func leaf(
    open: CallOpen, head: CallHead?, end: CallEnd?, rawHash: [UInt8], timesHash: [UInt8]
  ) -> [UInt8] {
    var meta = SHA256()
    for part in [CallCoding.json(open), open.body, head.map { CallCoding.json($0) }, end.map { CallCoding.json($0) }] {
      // No part is 2⁶⁴ − 1 bytes long: that count says that there is none.
      add(part.map { UInt64($0.count) } ?? .max, to: &meta)
      if let part { meta.update(data: part) }
    }
    var leaf = SHA256()
    leaf.update(data: [0x00])
    leaf.update(data: open.salt)
    leaf.update(data: Array(meta.finalize()))
    leaf.update(data: rawHash)
    leaf.update(data: timesHash)
    return Array(leaf.finalize())
  }

  private static func add(_ value: UInt64, to hasher: inout SHA256) {
    withUnsafeBytes(of: value.littleEndian) { hasher.update(bufferPointer: $0) }
  }
}

extension [UInt8] {
  fileprivate mutating func append(uint64 value: UInt64) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
