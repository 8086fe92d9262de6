package import Logging
public import TapeTypes

/// One file of the archive.
public struct ArchiveFile: Sendable, Equatable {
  public enum Kind: String, Sendable { case journal, segment, torn, temporary }
  public var name: String
  public var kind: Kind
  public var bytes: Int
  /// The writer's ULID; nil for files that do not name one.
  public var writer: CallID?
  /// A journal that its writer may still append to.
  public var isLive: Bool
}

/// One line of a segment's index.
package struct SegmentEntry: Sendable, Equatable {
  package var id: CallID
  package var startedAtNs: Int64
  /// Offset of the call's block in the file.
  package var blockOffset: Int
  package var frames: Int
  package var bytes: Int
}

/// One sealed file.
package struct SegmentReader {
  package init(store: Store, name: String) throws {}
  package var entries: [SegmentEntry] { [] }
  package func forEachCall(_ body: (RecordedCall, CallLocation, _ leafHash: [UInt8]) throws -> Void) throws {}
  package func call(at offset: Int, id: CallID) throws -> RecordedCall { throw TapeError(.notFound, "") }
}

/// Reads calls back from wherever they lie.
public struct ArchiveReader: Sendable {
  public init(store: Store) {}
  /// The call at a location, looked for elsewhere if it was sealed since.
  public func call(at location: CallLocation, id: CallID) throws -> RecordedCall { throw TapeError(.notFound, "") }
  /// nil if the archive has no such call.
  public func find(_ id: CallID) throws -> (call: RecordedCall, location: CallLocation)? { nil }
  /// Every call once (a sealed one from its segment), segments first, in start order within a file.
  public func allCalls(
    onDamage: (Damage) -> Void = { _ in }, _ body: (RecordedCall, CallLocation) throws -> Void
  ) throws {}
  public func files() throws -> [ArchiveFile] { [] }
}

/// What a seal did.
package struct SealReport: Sendable, Equatable {
  package var segments: [String] = []
  package var sealedCalls = 0
  package var lostCalls: [CallID] = []
  package var deletedJournals: [String] = []
  package var torn: [String] = []
  package var damage: [Damage] = []
  package var rawBytes = 0
  package var segmentBytes = 0
}

/// Turns closed journals into segments.
package struct Sealer {
  package init(store: Store, level: Int = 9, log: Logger) {}
  package func seal() throws -> SealReport { SealReport() }
}
