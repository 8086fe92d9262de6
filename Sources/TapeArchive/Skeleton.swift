package import Logging
public import TapeTypes

/// A directory that holds calls: its archive, its catalogue and its locks.
public struct Store: Sendable {
  public enum Access: Sendable { case reading, writing }
  /// The directory.
  public let path: String
  package let files: any TapeFiles

  /// `--store`, else `$TAPEDECK_STORE`, else `$XDG_DATA_HOME/tapedeck`, else `~/.local/share/tapedeck`.
  public static func locate(flag: String?, environment: [String: String]) -> String { "" }

  /// Opens the store at `path`; for writing, makes it where nothing or an empty directory is.
  public init(path: String, access: Access) throws { throw TapeError(.failed, "") }
  package init(path: String, access: Access, files: any TapeFiles, clock: any TapeClock) throws {
    throw TapeError(.failed, "")
  }

  public var archivePath: String { path + "/archive" }
  public var cataloguePath: String { path + "/catalogue.sqlite" }
  /// 32 random bytes that key the credential fingerprints; made at the first call.
  package func fingerprintKey() throws -> [UInt8] { [] }
  /// Takes the lock that seal, repack and erase exclude each other with; nil if taken and not `wait`.
  package func lock(wait: Bool) throws -> StoreLock? { nil }
}

package final class StoreLock {
  package func release() {}
}

package final class JournalWriter {
  package struct Handle: Hashable, Sendable { let slot: Int }
  /// What could not be written, since the writer was made.
  package struct Counters: Sendable, Equatable {
    package var gapFrames = 0
    package var gapBytes = 0
    package var lastError: TapeError?
  }
  package init(store: Store, options: JournalOptions = .init(), clock: any TapeClock = SystemClock(), log: Logger)
    throws
  {}
  package func open(_ call: CallOpen) -> Handle { Handle(slot: 0) }
  package func head(_ handle: Handle, _ head: CallHead) {}
  package func part(_ handle: Handle, offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {}
  package func frame(_ handle: Handle, offsetNs: Int64?, _ bytes: UnsafeRawBufferPointer) {}
  package func end(
    _ handle: Handle, offsetNs: Int64?, cause: CallEnd.Cause, detail: String? = nil, clientClosedNs: Int64? = nil,
    clockStepNs: Int64 = 0
  ) {}
  /// Ends a call with values taken from elsewhere (imports), as they are.
  package func end(_ handle: Handle, asGiven end: CallEnd) {}
  package func flush() -> FlushResult { .written }
  package var stagedBytes: Int { 0 }
  package var counters: Counters { Counters() }
  package func close() throws {}
}

package final class JournalFollower {
  package init(store: Store) {}
  /// Delivers what is new since the last poll.
  package func poll(_ body: (JournalEvent) throws -> Void) throws {}
}

/// SHA-256(0x00 ‖ salt ‖ H(meta) ‖ H(raw) ‖ H(times)), 32 bytes: see schema/archive.md.
package func leafHash(of call: RecordedCall) -> [UInt8] { [] }

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
