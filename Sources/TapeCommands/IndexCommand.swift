internal import ArgumentParser
internal import Logging
internal import TapeArchive
internal import TapeIndexer

/// `tapedeck index`
struct IndexCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "index", abstract: "Bring the catalogue up to date with the archive.",
    discussion: "Example: tapedeck index --rebuild")

  @Flag(help: "Make the catalogue anew from the archive alone.") var rebuild = false
  @Flag(help: "Go on as calls are recorded, until interrupted.") var follow = false
  @OptionGroup var store: StoreOption

  func run() throws {
    let indexer = Indexer(store: try store.openExisting(), log: Console.logger)
    let bar = ProgressBar(rebuild ? "rebuilding" : "indexing")
    defer { bar.finish() }
    let report = try indexer.run(rebuild: rebuild) { bar.update($0.doneBytes, of: $0.totalBytes) }
    bar.finish()
    for damage in report.damage { StandardOutput.note("tapedeck: damage: \(damage)") }
    for file in report.refused { StandardOutput.note("tapedeck: \(file)") }
    StandardOutput.note(
      "tapedeck: indexed \(report.calls) calls from \(report.segments) segments and \(report.journals) journals")
    if let process = report.leftTo {
      StandardOutput.note("tapedeck: process \(process) keeps this catalogue up to date")
    }
    if follow { try indexer.follow { false } }
    if !report.damage.isEmpty { throw ExitCode(2) }
  }
}
