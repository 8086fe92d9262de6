internal import Crypto
internal import TapeArchive
internal import TapeTypes

/// A recording, read from the archive and ready to be played, by several clients at once.
final class PlayedCall: Sendable {
  let call: RecordedCall
  let response: ReplayedResponse
  /// Of the response bytes: as recorded, or of what is on tape where the tape does not say.
  let sha256: [UInt8]
  /// About what it takes of memory.
  let bytes: Int
  /// The file that it was read from as it was before; nil if it was not there any more.
  let source: (file: String, status: FileStatus)?

  /// - Throws: `TapeError` `.corrupt` for a recording that is not what was recorded.
  init(_ call: RecordedCall, source: (file: String, status: FileStatus)?) throws {
    if let problem = integrityProblem(of: call) {
      throw TapeError(.corrupt, "call \(call.open.id): \(problem)")
    }
    self.call = call
    self.source = source
    response = ReplayedResponse(call)
    sha256 = call.end?.sha256 ?? Array(SHA256.hash(data: call.raw))
    bytes = call.raw.count + call.frameCount * 16 + call.open.body.count
  }
}

/// The recordings that were read last, for a few seconds and up to a bound, as long as their files are what they were:
/// what is erased from the archive must not be played on. Owned by the loop's thread.
struct PlayedCalls {
  private var calls: [CallID: (call: PlayedCall, readNs: Int64)] = [:]
  private var bytes = 0
  private let mostBytes: Int
  private static let keptNs: Int64 = 5_000_000_000

  private let archive: ArchiveReader

  init(_ archive: ArchiveReader, mostBytes: Int) {
    self.archive = archive
    self.mostBytes = mostBytes
  }

  mutating func find(_ id: CallID, now: Int64) -> PlayedCall? {
    guard let found = calls[id], now - found.readNs < Self.keptNs, let source = found.call.source,
      archive.status(ofFile: source.file) == source.status
    else { return nil }
    return found.call
  }

  mutating func keep(_ call: PlayedCall, now: Int64) {
    drop(call.call.open.id)
    guard call.source != nil, call.bytes <= mostBytes / 4 else { return }
    calls[call.call.open.id] = (call, now)
    bytes += call.bytes
    while bytes > mostBytes, let oldest = calls.min(by: { $0.value.readNs < $1.value.readNs }) { drop(oldest.key) }
  }

  mutating func dropOld(now: Int64) {
    for (id, kept) in calls where now - kept.readNs >= Self.keptNs { drop(id) }
  }

  private mutating func drop(_ id: CallID) {
    if let old = calls.removeValue(forKey: id) { bytes -= old.call.bytes }
  }
}
