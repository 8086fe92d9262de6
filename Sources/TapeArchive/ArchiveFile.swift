public import TapeTypes

/// One file of the archive.
public struct ArchiveFile: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case journal, segment
    /// The tail of a journal that was no whole record.
    case torn
    /// A journal that was found damaged when it was sealed.
    case quarantined
    /// Something that was not finished; the next seal redoes or removes it.
    case temporary
    /// What is kept of a segment that retention removed.
    case leaves
    /// What the store's tree was at its last seal.
    case checkpoint
    case other

    package init(name: String) {
      if JournalFormat.parse(fileName: name) != nil {
        self = .journal
      } else if SegmentFormat.parse(fileName: name) != nil {
        self = .segment
      } else if LeafList.segmentName(of: name) != nil {
        self = .leaves
      } else if name == Store.checkpointFile {
        self = .checkpoint
      } else if name.hasSuffix(".torn") {
        self = .torn
      } else if name.hasSuffix(".damaged") {
        self = .quarantined
      } else if name.hasSuffix(".tmp") {
        self = .temporary
      } else {
        self = .other
      }
    }
  }

  public var name: String
  public var kind: Kind
  public var bytes: Int
  /// The writer's ULID; nil for files that do not name one.
  public var writer: CallID?
  /// A journal that its writer may still append to.
  public var isLive: Bool
}
