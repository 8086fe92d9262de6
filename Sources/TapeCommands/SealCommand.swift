internal import ArgumentParser
internal import TapeArchive
internal import TapeIndexer

/// `tapedeck seal`
struct SealCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal", abstract: "Turn what has ended into compressed segments.", discussion: "Example: tapedeck seal"
  )

  @OptionGroup var store: StoreOption

  func run() throws {
    let store = try store.openExisting()
    let report = try Sealer(store: store, log: Console.logger, keeper: KeepUsage.keeper).seal()
    for damage in report.damage { StandardOutput.note("tapedeck: damage: \(damage)") }
    for call in report.unsealed { StandardOutput.note("tapedeck: not sealed: \(call)") }
    for call in report.lostCalls {
      StandardOutput.note("tapedeck: \(call) was never ended by its recorder: it is lost")
    }
    StandardOutput.note(
      "tapedeck: sealed \(report.sealedCalls) calls into \(report.segments.count) segments"
        + (report.segmentBytes > 0 ? ", \(report.rawBytes) bytes of frames into \(report.segmentBytes)" : ""))
    // The calls have moved; the catalogue follows, if there is one.
    try Indexer(store: store, log: Console.logger).run()
    if !report.damage.isEmpty || !report.unsealed.isEmpty { throw ExitCode(2) }
  }
}
