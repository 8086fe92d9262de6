import Logging
import TapeArchive
import TapeTypes

/// The calls that a store has, by their start: what an import compares with before it writes a call again.
struct ImportKnownCalls {
  /// What makes two calls the same to an import, beside their start.
  struct Content: Equatable {
    var raw: [UInt8]
    var body: [UInt8]

    /// Hashes of the response and of the request.
    init(raw: [UInt8], body: [UInt8]) {
      self.raw = raw
      self.body = body
    }

    init(_ call: RecordedCall) { self.init(raw: ImportHash.of(call.raw), body: ImportHash.of(call.open.body)) }
  }

  private enum Place {
    case archive(CallLocation)
    /// Written by this import.
    case here(Content)
    /// A tombstone, or being erased.
    case erased
  }

  private let store: Store
  private let log: Logger
  private var byStart: [Int64: [(id: CallID, place: Place)]] = [:]
  private var ids: Set<CallID> = []
  private var erased: Set<CallID> = []
  /// Calls of segments that retention removed: their ids are in the archive's tree, and nothing else of them.
  private var removed: Set<CallID> = []
  /// Of calls in the archive that were read.
  private var contents: [CallID: Content] = [:]
  private static let mostContents = 100_000

  /// Reads the indexes of all segments, the leaf lists, and the open records of all journals.
  ///
  /// A segment that cannot be read is warned of: its calls may be imported again.
  init(store: Store, log: Logger) throws {
    self.store = store
    self.log = log
    erased = Set(try ErasureList.pending(in: store).map(\.id))
    for file in try ArchiveReader(store: store).files() where file.kind == .segment || file.kind == .leaves {
      do {
        if file.kind == .leaves {
          removed.formUnion(try LeafList(store: store, name: file.name).leaves.map(\.id))
          continue
        }
        for entry in try SegmentReader(store: store, name: file.name).entries {
          if entry.isErased { erased.insert(entry.id) }
          add(entry.id, entry.startedAtNs, .archive(CallLocation(file: file.name, offset: entry.blockOffset)))
        }
      } catch let error as TapeError where error.isDamage {
        log.warning("what is in it cannot be told from what is imported: \(error)")
      }
    }
    try JournalFollower(store: store).poll { event in
      if case .opened(let open, let location) = event, !ids.contains(open.id) {
        add(open.id, open.startedAtNs, .archive(location))
      }
    }
    removed.subtract(ids)
    ids.formUnion(removed)
  }

  private mutating func add(_ id: CallID, _ startedAtNs: Int64, _ place: Place) {
    byStart[startedAtNs, default: []].append((id, erased.contains(id) ? .erased : place))
    ids.insert(id)
  }

  mutating func add(_ id: CallID, startedAtNs: Int64, _ content: Content) { add(id, startedAtNs, .here(content)) }

  /// Takes the id of a call that is being written, so that no other gets it.
  mutating func reserve(_ id: CallID) { ids.insert(id) }

  /// The id is taken.
  func contains(_ id: CallID) -> Bool { ids.contains(id) }
  func isErased(_ id: CallID) -> Bool { erased.contains(id) }
  func isRemoved(_ id: CallID) -> Bool { removed.contains(id) }

  /// An erased call that started then. A capture that names no call and starts at the same moment is taken for it:
  /// what the call was is not known any more, and what was erased must not come back unasked.
  func erasedCall(startedAtNs: Int64) -> CallID? {
    byStart[startedAtNs]?.first { if case .erased = $0.place { true } else { false } }?.id
  }

  func hasCalls(startedAtNs: Int64) -> Bool { byStart[startedAtNs] != nil }

  /// The call of the store that is the same.
  mutating func find(startedAtNs: Int64, _ content: Content) throws -> CallID? {
    for (id, place) in byStart[startedAtNs] ?? [] {
      switch place {
      case .erased: continue
      case .here(let other): if other == content { return id }
      case .archive(let location):
        do {
          if try self.content(id, location) == content { return id }
        } catch let error as TapeError where error.isDamage {
          log.warning("call \(id) cannot be compared with what is imported: \(error)")
        }
      }
    }
    return nil
  }

  /// What a call of the archive consists of. Who asks for one call asks for its neighbours next: they are read along.
  private mutating func content(_ id: CallID, _ location: CallLocation) throws -> Content {
    if let known = contents[id] { return known }
    let reader = ArchiveReader(store: store)
    if contents.count > Self.mostContents { contents.removeAll() }
    var found: [CallID: Content] = [:]
    try reader.neighbours(of: location) { call, _ in found[call.open.id] = Content(call) }
    contents.merge(found) { _, new in new }
    if let content = found[id] { return content }
    // Its file went: it was sealed or repacked since.
    let content = Content(try reader.call(at: location, id: id))
    contents[id] = content
    return content
  }
}
