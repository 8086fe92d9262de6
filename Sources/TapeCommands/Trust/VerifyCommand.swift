internal import ArgumentParser
internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// `tapedeck verify`
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check that the archive is what was recorded.",
    discussion: """
      Reads every byte of the archive: each segment against its checksums and each call in it against its leaf hash, \
      the tree of all of them against the store's checkpoint and the ones given, and each journal against its \
      checksums and chain. Without --checkpoint it cannot tell that somebody who may write the whole store made \
      another one of it; calls in journals are only chained, not in the tree yet. Exit code 2 and the calls affected \
      when anything is wrong; calls that their recorder lost, and torn ends of journals, are reported only.

      Example: tapedeck verify --checkpoint 2026-11-23.checkpoint
      """)

  @Argument(help: ArgumentHelp("The one call to check; without it, everything.", valueName: "call")) var call: String?
  @Option(help: ArgumentHelp("A checkpoint that was kept; may be given again.", valueName: "file"))
  var checkpoint: [String] = []
  @Option(
    help: ArgumentHelp("Whose signature the checkpoint has to have: a verifier key, or its file.", valueName: "key"))
  var key: String?
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func validate() throws {
    if key != nil, checkpoint.isEmpty { throw ValidationError("--key is for a checkpoint: give --checkpoint too") }
  }

  func run() throws {
    let store = try store.open(.reading)
    let key = try key.map(TrustFiles.verifierKey)
    let kept = try checkpoint.map { Verifier.Kept(name: $0, note: try TrustFiles.checkpoint($0), key: key) }
    let report: VerifyOutput
    if let call {
      report = VerifyOutput(try Verifier(store: store).run(call: CallFinder(store: store).id(of: call), kept: kept))
    } else {
      let bar = ProgressBar("verifying")
      defer { bar.finish() }
      var found = try Verifier(store: store).run(kept: kept) { bar.update($0, of: $1) }
      if found.treeIsShort { found.damage += VanishedSegments.damage(of: store) }
      report = VerifyOutput(found, store: store.path)
    }
    report.print(format.resolved)
    if !report.damage.isEmpty { throw ExitCode(2) }
  }
}

extension VerifyReport {
  /// Calls are missing whose names the archive does not have any more.
  fileprivate var treeIsShort: Bool {
    checkpoints.contains { $0.result == .removed } || damage.contains { $0.calls.isEmpty && $0.file.hasPrefix("S-") }
  }
}

/// Segments that the catalogue knows and the archive has not: it tells which calls they had.
enum VanishedSegments {
  static func damage(of store: Store) -> [Damage] {
    guard let engine = try? QueryEngine(store: store), let files = try? ArchiveReader(store: store).files() else {
      return []
    }
    let present = Set(files.map(\.name))
    let vanished =
      (try? engine.callsByFile { name in
        name.hasPrefix("S-") && !present.contains(name) && !present.contains(LeafList.fileName(ofSegment: name))
      }) ?? []
    return vanished.map { file, calls in
      Damage(file: file, offset: 0, calls: calls, message: "the catalogue has calls of this segment, and it is gone")
    }
  }
}
