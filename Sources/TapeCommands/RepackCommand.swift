internal import ArgumentParser
internal import TapeArchive
internal import TapeIndexer

/// `tapedeck repack`
struct RepackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repack", abstract: "Compress sealed segments again, harder.",
    discussion: """
      Every call keeps its bytes, times and place, so checkpoints and proofs stay good. A segment is \
      replaced only after the new file was read back and compared, and left alone if it would not \
      become smaller.

      Example: tapedeck repack --level 19
      """)

  @Option(help: ArgumentHelp("zstd level, 1 to 22.", valueName: "level")) var level = 19
  @OptionGroup var store: StoreOption

  func validate() throws {
    guard (1...22).contains(level) else { throw ValidationError("--level is a number from 1 to 22") }
  }

  func run() throws {
    let store = try store.openExisting()
    let bar = ProgressBar("repacking")
    defer { bar.finish() }
    let report = try Repacker(store: store, level: level, log: Console.logger).repack { number, count in
      bar.update(number - 1, of: count)
    }
    bar.finish()
    for damage in report.damage { StandardOutput.note("tapedeck: damage: \(damage)") }
    StandardOutput.note(
      "tapedeck: repacked \(report.rewritten.count) segments, left \(report.kept) as they are"
        + (report.rewritten.isEmpty ? "" : ", \(report.bytesBefore) bytes are now \(report.bytesAfter)"))
    // The blocks have moved; the catalogue follows, if there is one.
    try Indexer(store: store, log: Console.logger).run()
    if !report.damage.isEmpty { throw ExitCode(2) }
  }
}
