internal import TapeTypes

/// Why a block cannot be read.
struct BlockError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// The parts of an encoded block, before the segment compresses and frames them.
struct EncodedBlock: Equatable {
  /// One part: what it is for says how the segment stores it.
  enum Role: Int, CaseIterable {
    /// Text about each call, in a zstd frame.
    case head
    /// Requests and responses, in a zstd frame.
    case text
    /// Where the text was split, in a skippable frame.
    case cuts
    /// Arrival times, in a skippable frame.
    case times
    /// Salts, in a skippable frame.
    case proofs

    /// nil: a zstd frame.
    var skippableMagic: UInt32? {
      switch self {
      case .head, .text: nil
      case .cuts: SegmentFormat.cutsMagic
      case .times: SegmentFormat.timesMagic
      case .proofs: SegmentFormat.proofsMagic
      }
    }
  }

  /// Bytes of the file that the parts were read from.
  var storedBytes = 0
  private var parts = [[UInt8]](repeating: [], count: Role.allCases.count)

  init() {}

  init(_ roles: [Role], _ part: (Role) throws -> [UInt8]) rethrows {
    for role in roles { self[role] = try part(role) }
  }

  subscript(role: Role) -> [UInt8] {
    get { parts[role.rawValue] }
    set { parts[role.rawValue] = newValue }
  }
}

/// How calls become blocks and blocks calls. The segment's file says by name which coding it has.
protocol BlockCoding: Sendable {
  static var name: String { get }
  /// The parts that a block has, in the order of the file.
  static var roles: [EncodedBlock.Role] { get }
  init() throws
  /// What a block's head names. Without leaf hashes, but for tombstones.
  func entries(head: [UInt8], blockOffset: Int) throws -> [SegmentEntry]
  /// Total: throws on what `encode` does not make, whatever the bytes.
  /// - Parameter id: the one call that is wanted; nil for all.
  func decode(_ block: EncodedBlock, only id: CallID?) throws -> [SegmentItem]
  /// The same, one after the other, each with the SHA-256 of its response where that was computed on the way.
  func forEachItem(_ block: EncodedBlock, _ body: (HashedItem) throws -> Void) throws
}

/// An item, and the hash of its response if it is known.
struct HashedItem {
  var item: SegmentItem
  var rawHash: [UInt8]?

  /// 32 bytes; the response is not hashed again where its hash is known.
  var leafHash: [UInt8] {
    guard case .call(let call) = item, let rawHash else { return item.leafHash }
    return LeafParts(of: call, rawHash: rawHash).leaf
  }
}

extension BlockCoding {
  func forEachItem(_ block: EncodedBlock, _ body: (HashedItem) throws -> Void) throws {
    for item in try decode(block, only: nil) { try body(HashedItem(item: item)) }
  }
}

/// A coding whose head and text say enough of a call for an index.
protocol OutlineCoding: BlockCoding {
  /// In the order of the calls; nil for tombstones.
  func outlines(head: [UInt8], text: [UInt8]) throws -> [CallOutline?]
}

enum BlockCodings {
  /// What the sealer writes.
  static var current: any BlockCoding.Type { TemplateCoding.self }
  static var all: [any BlockCoding.Type] { [TemplateCoding.self, LiteralCoding.self] }
}
