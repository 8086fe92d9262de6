package import TapeTypes

/// What is left of a call that was erased: its place, and the hash that keeps the tree's root. Its salt is gone, so
/// nothing of the call can be guessed back from the hash.
package struct Tombstone: Sendable, Equatable {
  package var id: CallID
  package var startedAtNs: Int64
  /// 32 bytes.
  package var leafHash: [UInt8]
  /// Wall clock, ns since 1970.
  package var erasedAtNs: Int64
  /// What was kept of its usage, as one JSON object; nil if nothing was.
  package var kept: [UInt8]?

  package init(id: CallID, startedAtNs: Int64, leafHash: [UInt8], erasedAtNs: Int64, kept: [UInt8]? = nil) {
    self.id = id
    self.startedAtNs = startedAtNs
    self.leafHash = leafHash
    self.erasedAtNs = erasedAtNs
    self.kept = kept
  }
}

extension Tombstone {
  /// What whoever asks for the call is told.
  var error: TapeError { .erased(id, atNs: erasedAtNs) }
}

extension TapeError {
  /// What whoever asks for a call that was erased is told.
  package static func erased(_ id: CallID, atNs: Int64) -> TapeError {
    TapeError(.erased, "call \(id) was erased at \(RFC3339.string(atNs)); its place in the archive's tree is kept")
  }
}

/// One place in a segment.
package enum SegmentItem: Sendable {
  case call(RecordedCall)
  case tombstone(Tombstone)

  package var id: CallID {
    switch self {
    case .call(let call): call.open.id
    case .tombstone(let tombstone): tombstone.id
    }
  }

  package var startedAtNs: Int64 {
    switch self {
    case .call(let call): call.open.startedAtNs
    case .tombstone(let tombstone): tombstone.startedAtNs
    }
  }

  /// 32 bytes; computed for a call.
  package var leafHash: [UInt8] {
    switch self {
    case .call(let call): TapeArchive.leafHash(of: call)
    case .tombstone(let tombstone): tombstone.leafHash
    }
  }

  package var call: RecordedCall? {
    if case .call(let call) = self { call } else { nil }
  }

  /// What a block that has it counts.
  var blockBytes: Int { rawBytes + 16 * (call?.frameCount ?? 0) }

  /// Bytes of request and response.
  var rawBytes: Int { call.map { $0.raw.count + $0.open.body.count } ?? 0 }
}
