package import TapeTypes

/// What of a call says which request it answered.
package struct RecordedRequest: Sendable {
  package var id: CallID
  package var startedAtNs: Int64
  package var location: CallLocation
  package var method: String
  /// Path and query, secrets replaced; empty for captures that do not have it.
  package var path: String
  package var body: [UInt8]
  /// False for a call that is being recorded.
  package var hasEnded: Bool
  /// Where all of it lies, of one that has ended and is not sealed.
  package var places: JournalPlaces?

  package init(
    id: CallID, startedAtNs: Int64, location: CallLocation, method: String, path: String, body: [UInt8], hasEnded: Bool
  ) {
    self.id = id
    self.startedAtNs = startedAtNs
    self.location = location
    self.method = method
    self.path = path
    self.body = body
    self.hasEnded = hasEnded
  }
}

/// The same, as a block of a segment has it.
struct BlockRequest {
  var id: CallID
  var startedAtNs: Int64
  var method = ""
  var path = ""
  var body: [UInt8] = []
}

/// A coding whose head and text give requests away without the responses.
protocol RequestCoding: BlockCoding {
  /// In the order of the calls, without tombstones.
  func requests(head: [UInt8], text: [UInt8]) throws -> [BlockRequest]
}

extension SegmentFile {
  func requests(inBlock block: Int) throws -> [BlockRequest] {
    if let coding = coding as? any RequestCoding {
      let parts = try headAndText(inBlock: block)
      return try coding.requests(head: parts.head, text: parts.text)
    }
    return try items(inBlock: block).compactMap(\.call).map {
      BlockRequest(
        id: $0.open.id, startedAtNs: $0.open.startedAtNs, method: $0.open.method, path: $0.open.path, body: $0.open.body
      )
    }
  }
}

extension ArchiveReader {
  /// The request of every call once, at a small part of the cost of the calls: responses are stepped over where the
  /// archive lets them be. In no order; a call that is sealed meanwhile comes from journal or segment.
  ///
  /// - Parameters:
  ///   - ids: the calls that are wanted; nil for all.
  ///   - onDamage: what cannot be read; reading goes on behind it.
  /// - Throws: `TapeError` `.io`, and what `body` throws.
  package func forEachRequest(
    of ids: Set<CallID>? = nil, onDamage: (Damage) -> Void = { _ in }, _ body: (RecordedRequest) throws -> Void
  ) throws {
    // Journals first: what is sealed and gone behind that is in a segment.
    var journalled: [CallID: RecordedRequest] = [:]
    let follower = JournalFollower(store: store) { journalled[$0.id]?.places = $0 }
    try follower.poll { event in
      switch event {
      case .opened(let open, let location):
        guard ids?.contains(open.id) ?? true else { return }
        journalled[open.id] = RecordedRequest(
          id: open.id, startedAtNs: open.startedAtNs, location: location, method: open.method, path: open.path,
          body: open.body, hasEnded: false)
      case .ended(let id, _), .lost(let id, _): journalled[id]?.hasEnded = true
      case .damage(let damage): onDamage(damage)
      case .head, .part, .frame, .gap, .sealed: break
      }
    }
    var seen: Set<CallID> = []
    for name in try segmentNames() {
      do {
        try forEachRequest(inSegment: name, ids, onDamage) { request in
          guard seen.insert(request.id).inserted else { return }
          journalled[request.id] = nil
          try body(request)
        } erased: {
          journalled[$0] = nil
        }
      } catch let error as TapeError where error.code == .corrupt || error.code == .newerVersion {
        onDamage(Damage(file: name, offset: 0, calls: [], message: error.description))
      }
    }
    for request in journalled.values { try body(request) }
  }

  private func segmentNames() throws -> [String] {
    do {
      return try store.archiveFiles().filter { SegmentFormat.parse(fileName: $0) != nil }
    } catch {
      throw TapeError(.io, "cannot read the archive \(store.archivePath): \(error.reason) (\(error.doing))")
    }
  }

  private func forEachRequest(
    inSegment name: String, _ ids: Set<CallID>?, _ onDamage: (Damage) -> Void,
    _ body: (RecordedRequest) throws -> Void, erased: (CallID) -> Void
  ) throws {
    let segment = try SegmentReader(store: store, name: name)
    try segment.forEachBlock(onDamage: onDamage) { block, location, entries in
      for entry in entries where entry.isErased { erased(entry.id) }
      if let ids, !entries.isEmpty, !entries.contains(where: { ids.contains($0.id) }) { return }
      let requests: [BlockRequest]
      do {
        requests = try segment.file.requests(inBlock: block)
      } catch {
        return onDamage(
          Damage(file: name, offset: location.offset, calls: entries.filter { !$0.isErased }.map(\.id), error: error))
      }
      for request in requests where ids?.contains(request.id) ?? true {
        try body(
          RecordedRequest(
            id: request.id, startedAtNs: request.startedAtNs, location: location, method: request.method,
            path: request.path, body: request.body, hasEnded: true))
      }
    }
  }
}
