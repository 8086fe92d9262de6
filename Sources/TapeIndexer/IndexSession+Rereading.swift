internal import TapeArchive
internal import TapeCatalogue
internal import TapeTypes

/// Journals that were read before and have to be read again.
extension IndexSession {
  /// A journal's end may not have survived a loss of power that the catalogue did: what was read of journals before this
  /// boot of the machine is read again.
  func forgetOtherBoots(_ files: [SourceFile]) throws {
    let there = Set(files.map(\.name))
    let old = try writer.transaction { try $0.journals(ofOtherBootsThan: boot) }.filter(there.contains)
    try forgetJournals(old)
  }

  private func forgetJournals(_ names: [String]) throws {
    guard !names.isEmpty else { return }
    try writer.transaction { transaction in
      for name in names {
        _ = try transaction.removeCalls(in: name)
        try transaction.removeSource(name)
      }
    }
    for name in names {
      sources?[name] = nil
      reached[name] = nil
    }
  }

  /// Of the calls of a segment that was removed, journals that stay for others may have some still.
  func rereadJournals(_ files: [SourceFile]) throws {
    let journals = files.filter { $0.kind == .journal && sources?[$0.name] != nil }.map(\.name)
    guard !journals.isEmpty else { return }
    try forgetJournals(journals)
    tracked = [:]
    follower = JournalFollower(store: store)
    (hasPolled, mustLookAgain) = (false, true)
  }
}
