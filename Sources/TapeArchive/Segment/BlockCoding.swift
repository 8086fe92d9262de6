internal import TapeTypes

/// Why a block cannot be read.
struct BlockError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// The parts of an encoded block, before the segment compresses and frames them.
struct EncodedBlock: Equatable {
  /// One part: what it is for says how the segment stores it.
  enum Role: CaseIterable {
    /// Text about each call, in a zstd frame.
    case head
    /// Requests and responses, in a zstd frame.
    case payload
    /// Arrival times, in a skippable frame.
    case times
    /// Salts, in a skippable frame.
    case proofs

    /// nil: a zstd frame.
    var skippableMagic: UInt32? {
      switch self {
      case .head, .payload: nil
      case .times: SegmentFormat.timesMagic
      case .proofs: SegmentFormat.proofsMagic
      }
    }
  }

  var head: [UInt8]
  var payload: [UInt8]
  var times: [UInt8]
  var proofs: [UInt8]

  init(_ part: (Role) throws -> [UInt8]) rethrows {
    head = try part(.head)
    payload = try part(.payload)
    times = try part(.times)
    proofs = try part(.proofs)
  }

  subscript(role: Role) -> [UInt8] {
    switch role {
    case .head: head
    case .payload: payload
    case .times: times
    case .proofs: proofs
    }
  }
}

/// How calls become blocks and blocks calls. The segment's file says by name which coding it has.
protocol BlockCoding: Sendable {
  static var name: String { get }
  init() throws
  func encode(_ calls: [RecordedCall]) throws -> EncodedBlock
  /// The calls that a block's head names.
  func entries(head: [UInt8], blockOffset: Int) throws -> [SegmentEntry]
  /// Total: throws on what `encode` does not make, whatever the bytes.
  /// - Parameter id: the one call that is wanted; nil for all.
  func decode(_ block: EncodedBlock, only id: CallID?) throws -> [RecordedCall]
}

enum BlockCodings {
  /// What the sealer writes.
  static var current: any BlockCoding.Type { LiteralCoding.self }
  static var all: [any BlockCoding.Type] { [LiteralCoding.self] }
}
