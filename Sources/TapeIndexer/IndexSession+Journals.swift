internal import TapeArchive
internal import TapeCatalogue
internal import TapeTypes

/// Calls of journals, those that go on included.
extension IndexSession {
  /// An open call's row is written again at most this often while others are followed.
  private static let refreshNs: Int64 = 500_000_000

  func needsPoll(_ journals: [SourceFile], _ sources: [String: Int]) throws -> Bool {
    if hasPolled { return !journals.isEmpty || !tracked.isEmpty }
    if journals.contains(where: { sources[$0.name] != $0.bytes }) { return true }
    // Nothing was appended, but a writer may have died.
    return !openWriters.isEmpty
  }

  /// Writers of whose journals all is in the catalogue, and none of whose calls goes on.
  private func settled(_ journals: [SourceFile], _ sources: [String: Int]) -> Set<CallID> {
    let byWriter = Dictionary(grouping: journals) { JournalFormat.parse(fileName: $0.name)?.writer }
    return Set(
      byWriter.compactMap { writer, files in
        guard let writer, !openWriters.contains(writer) else { return nil }
        return files.allSatisfy { sources[$0.name] == $0.bytes && sourceTimes[$0.name] == $0.modifiedNs } ? writer : nil
      })
  }

  /// Takes in what the journals have new, in one transaction with how far they were read.
  ///
  /// - Returns: false if there is more to be read at once.
  func pollJournals(
    _ journals: [SourceFile], _ sources: [String: Int], refreshAll: Bool, _ onProgress: (IndexProgress) -> Void
  ) throws -> Bool {
    let now = clock.monotonicNs()
    var read = journals
    var isWhole = true
    let known = reached
    progress.doneBytes += journals.reduce(0) { $0 + (known[$1.name] ?? 0) }
    try writer.transaction { transaction in
      let budget = refreshAll ? budget : followingBudget
      isWhole = try follower.poll(skipping: settled(journals, sources), budget: budget) { event in
        if case .opened(_, let location) = event {
          let before = reached.updateValue(location.offset, forKey: location.file) ?? 0
          progress.doneBytes += max(0, location.offset - before)
          progress.calls = report.calls
          onProgress(progress)
        }
        try take(event, in: transaction)
      }
      // Sizes are those from before the reading: what came later is looked at again. So is what a writer has not
      // committed yet: it counts once that is dead.
      for index in read.indices {
        read[index].bytes = min(read[index].bytes, follower.position(in: read[index].name) ?? .max)
      }
      for call in tracked.values where call.isDirty && (isWhole || !refreshAll) {
        if !refreshAll, let written = call.writtenNs, now - written < Self.refreshNs { continue }
        try write(call.snapshot(), withContent: call.writtenNs == nil, in: transaction)
        call.isDirty = false
        call.writtenNs = now
      }
      for file in read where sources[file.name] != file.bytes || sourceTimes[file.name] != file.modifiedNs {
        let modified = file.modifiedNs ?? 0
        try transaction.setSource(file.name, kind: "journal", bytes: file.bytes, modifiedNs: modified, boot: boot)
      }
    }
    for file in read where file.bytes > 0 {
      if sources[file.name] != file.bytes, known[file.name] == nil { report.journals += 1 }
      reached[file.name] = file.bytes
    }
    for file in read { note(file) }
    hasPolled = true
    return isWhole
  }

  private func take(_ event: JournalEvent, in transaction: CatalogueTransaction) throws {
    switch event {
    case .opened(let open, let location):
      if try !isIndexed(open.id, at: location, in: transaction) {
        tracked[open.id] = TrackedCall(open: open, location: location)
      }
    case .head(let id, let head): tracked[id]?.set(head)
    case .part(let id, _, let bytes): tracked[id]?.part(bytes)
    case .frame(let id, let offsetNs, let bytes): tracked[id]?.frame(bytes, offsetNs: offsetNs)
    case .gap(let id, let frames, let bytes): tracked[id]?.gap(frames: frames, bytes: bytes)
    case .ended(let id, let end): try finish(id, end, nil, in: transaction)
    case .lost(let id, let loss): try finish(id, nil, loss, in: transaction)
    case .sealed(let id): tracked[id] = nil
    case .damage(let damage): try note(damage, in: transaction)
    }
  }

  /// The catalogue has all of this call already: it ended before, or lies in a segment.
  private func isIndexed(_ id: CallID, at location: CallLocation, in transaction: CatalogueTransaction) throws -> Bool {
    guard let known = try transaction.known(id) else {
      return try hasErased && transaction.isErased(id)
    }
    if Self.isSegment(known.file) { return true }
    return known.state != CallState.open.rawValue && known.leafHash != nil && known.file == location.file
      && known.offset == location.offset
  }

  private func finish(_ id: CallID, _ end: CallEnd?, _ loss: CallLoss?, in transaction: CatalogueTransaction) throws {
    guard let call = tracked.removeValue(forKey: id) else { return }
    if let problem = call.problem(end, loss) { try note(Damage(call.location, id, problem), in: transaction) }
    try write(call.finished(end: end, loss: loss), in: transaction)
  }
}
