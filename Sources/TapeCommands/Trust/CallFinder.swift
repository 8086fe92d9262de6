internal import TapeArchive
internal import TapeQuery
internal import TapeTypes

/// Finds the call that CALL means also where there is no catalogue, and where the call was erased or removed.
struct CallFinder {
  let store: Store

  /// - Throws: `TapeError` `.notFound`; `.usage` when several calls match; `.catalogueMissing` for what only a catalogue
  ///   can tell.
  func id(of reference: String) throws -> CallID {
    do {
      return try QueryEngine(store: store).resolve(reference).id
    } catch let error as TapeError {
      switch error.code {
      case .notFound, .erased, .catalogueMissing, .catalogueStale:
        if let id = try inArchive(reference.uppercased()) { return id }
        // Whatever is no id may be the name of a call that only a catalogue knows.
        throw CallID(reference) == nil ? error : TapeError(.notFound, "no call '\(reference)' in \(store.path)")
      default: throw error
      }
    }
  }

  /// By id or the beginning of one, in the indexes of segments and leaf lists, and in journals.
  private func inArchive(_ reference: String) throws -> CallID? {
    guard reference.utf8.count <= 26, !reference.hasPrefix("@"), !reference.isEmpty else { return nil }
    var found: Set<CallID> = []
    func take(_ id: CallID) { if id.description.hasPrefix(reference) { found.insert(id) } }
    let tree = try ArchiveTree(store: store)
    _ = try tree.walk(onDamage: { _, _ in }) { _, leaves, _ in for leaf in leaves { take(leaf.id) } }
    try JournalFollower(store: store).poll { event in if case .opened(let open, _) = event { take(open.id) } }
    guard found.count < 2 else {
      let shown = found.sorted().prefix(6).map(\.description).joined(separator: ", ")
      throw TapeError(.usage, "'\(reference)' may mean several calls: \(shown)\(found.count > 6 ? ", …" : "")")
    }
    return found.first
  }
}
