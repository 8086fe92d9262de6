internal import Logging
internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapeTypes

/// Which calls an erasure is about.
package enum ErasureTarget: Sendable, Equatable {
  /// Those of an identity, by its id or by an email that any of its calls gave.
  case identity(String)
  /// Those that started before, ns since 1970.
  case startedBefore(Int64)
  case call(CallID)
}

/// A call that was found for erasure.
package struct ErasableCall: Sendable, Equatable {
  package var id: CallID
  /// ns since 1970.
  package var startedAtNs: Int64

  package init(id: CallID, startedAtNs: Int64) {
    self.id = id
    self.startedAtNs = startedAtNs
  }
}

/// Finds the calls of a target wherever they lie: the catalogue tells of what it has indexed, and what it has not is
/// read. So nothing is missed by a catalogue that is behind, or not there.
struct ErasureSearch {
  let store: Store
  let log: Logger
  let target: ErasureTarget

  /// What is known of a call that was read.
  private struct Candidate {
    var call: ErasableCall
    var identity: RequestFacts.Identity?
  }

  func find() throws -> [ErasableCall] {
    if case .call(let id) = target { return try find(id) }
    var indexed: [String: (bytes: Int, modifiedNs: Int64)] = [:]
    var found: [CallID: ErasableCall] = [:]
    var identities: Set<String> = []
    if try hasCatalogue() { try ask(&indexed, &found, &identities) }
    let candidates = try read(without: indexed)
    if case .identity(let name) = target {
      identities.insert(name)
      for identity in candidates.compactMap(\.identity) where Self.same(identity.email, name) {
        if let id = identity.id { identities.insert(id) }
      }
    }
    for candidate in candidates where matches(candidate, identities) { found[candidate.call.id] = candidate.call }
    return found.values.sorted { ($0.startedAtNs, $0.id) < ($1.startedAtNs, $1.id) }
  }

  private func find(_ id: CallID) throws -> [ErasableCall] {
    guard let found = try ArchiveReader(store: store).find(id) else { return [] }
    return [ErasableCall(id: id, startedAtNs: found.call.open.startedAtNs)]
  }

  private func matches(_ candidate: Candidate, _ identities: Set<String>) -> Bool {
    switch target {
    case .identity(let name):
      candidate.identity.map { identity in
        identity.id.map { identities.contains($0) } ?? Self.same(identity.email, name)
      } ?? false
    case .startedBefore(let ns): candidate.call.startedAtNs < ns
    case .call(let id): candidate.call.id == id
    }
  }

  /// As the catalogue compares emails: letters of ASCII in either case.
  private static func same(_ email: String?, _ name: String) -> Bool {
    func folded(_ text: String) -> [UInt8] { text.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 } }
    return email.map { folded($0) == folded(name) } ?? false
  }

  // MARK: The catalogue

  /// Brings the catalogue up to date, if there is one.
  private func hasCatalogue() throws -> Bool {
    do {
      guard try store.files.status(store.cataloguePath) != nil else { return false }
    } catch {
      throw TapeError(.io, "cannot look for the catalogue \(store.cataloguePath): \(error.reason)")
    }
    try Erasure.index(store, log)
    return true
  }

  private func ask(
    _ indexed: inout [String: (bytes: Int, modifiedNs: Int64)], _ found: inout [CallID: ErasableCall],
    _ identities: inout Set<String>
  ) throws {
    let condition: String
    let arguments: [SQLValue]
    switch target {
    case .identity(let name):
      condition = IdentityCondition.sql()
      arguments = Array(repeating: .text(name), count: IdentityCondition.arguments)
    case .startedBefore(let ns): (condition, arguments) = ("started_ns < ?", [.integer(ns)])
    case .call: return
    }
    try CatalogueReader(path: store.cataloguePath).snapshot { snapshot in
      try snapshot.query("SELECT file, indexed_bytes, modified_ns FROM sources") { row in
        indexed[row.text(0) ?? ""] = (row.integer(1) ?? 0, Int64(row.integer(2) ?? 0))
      }
      let sql = "SELECT call_id, started_ns, identity_id FROM calls WHERE erased_ns IS NULL AND \(condition)"
      try snapshot.query(sql, arguments) { row in
        guard let id = row.text(0).flatMap({ CallID($0) }), let started = row.integer(1) else { return }
        found[id] = ErasableCall(id: id, startedAtNs: Int64(started))
        if let identity = row.text(2) { identities.insert(identity) }
      }
    }
  }

  // MARK: The archive

  /// The calls of all journals, as they are the latest, and of the segments that are not indexed as they are now.
  private func read(without indexed: [String: (bytes: Int, modifiedNs: Int64)]) throws -> [Candidate] {
    var candidates: [Candidate] = []
    try JournalFollower(store: store).poll { event in
      if case .opened(let open, _) = event { candidates.append(candidate(open)) }
    }
    for file in try SourceFile.list(store) where file.kind == .segment {
      if let known = indexed[file.name], known.bytes == file.bytes, known.modifiedNs == file.modifiedNs { continue }
      do {
        try SegmentReader(store: store, name: file.name).forEachCall {
          log.warning("calls that cannot be read cannot be found: \($0)")
        } _: { call, _, _ in
          candidates.append(candidate(call.open))
        }
      } catch let error as TapeError where error.isDamage {
        log.warning("calls that cannot be read cannot be found: \(error)")
      }
    }
    return candidates
  }

  private func candidate(_ open: CallOpen) -> Candidate {
    var identity: RequestFacts.Identity?
    if case .identity = target { identity = RequestFacts(open).identity }
    return Candidate(call: ErasableCall(id: open.id, startedAtNs: open.startedAtNs), identity: identity)
  }
}
