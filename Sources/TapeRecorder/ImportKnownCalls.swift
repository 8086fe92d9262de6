import TapeArchive
import TapeTypes

/// The calls that a store has, by their start: what an import compares with before it writes a call again.
struct ImportKnownCalls {
  /// What makes two calls the same to an import, beside their start.
  struct Content: Equatable {
    var raw: [UInt8]
    var body: [UInt8]
  }

  private enum Place {
    case archive(CallLocation)
    /// Written by this import.
    case here(Content)
  }

  private let store: Store
  private var byStart: [Int64: [(id: CallID, place: Place)]] = [:]
  private var ids: Set<CallID> = []

  /// Reads the indexes of all segments and the open records of all journals.
  init(store: Store) throws {
    self.store = store
    for file in try ArchiveReader(store: store).files() where file.kind == .segment {
      for entry in try SegmentReader(store: store, name: file.name).entries {
        add(entry.id, entry.startedAtNs, .archive(CallLocation(file: file.name, offset: entry.blockOffset)))
      }
    }
    try JournalFollower(store: store).poll { event in
      if case .opened(let open, let location) = event, !ids.contains(open.id) {
        add(open.id, open.startedAtNs, .archive(location))
      }
    }
  }

  private mutating func add(_ id: CallID, _ startedAtNs: Int64, _ place: Place) {
    byStart[startedAtNs, default: []].append((id, place))
    ids.insert(id)
  }

  mutating func add(_ id: CallID, startedAtNs: Int64, _ content: Content) { add(id, startedAtNs, .here(content)) }

  /// Takes the id of a call that is being written, so that no other gets it.
  mutating func reserve(_ id: CallID) { ids.insert(id) }

  func contains(_ id: CallID) -> Bool { ids.contains(id) }
  func hasCalls(startedAtNs: Int64) -> Bool { byStart[startedAtNs] != nil }

  /// The call of the store that is the same.
  func find(startedAtNs: Int64, _ content: Content) throws -> CallID? {
    for (id, place) in byStart[startedAtNs] ?? [] {
      switch place {
      case .here(let other): if other == content { return id }
      case .archive(let location):
        let call = try ArchiveReader(store: store).call(at: location, id: id)
        if Content(raw: ImportHash.of(call.raw), body: ImportHash.of(call.open.body)) == content { return id }
      }
    }
    return nil
  }
}
