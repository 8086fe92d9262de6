internal import ArgumentParser
internal import Foundation
internal import TapeArchive
internal import TapeCommands
internal import TapeConfiguration
internal import TapeIndexer
internal import TapeQuery
internal import TapeRecorder
internal import TapeTypes

/// `tapedeck import`
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: LiveCommand.import.abstract,
    discussion: """
      Reads .sse captures (raw response bytes), timed captures (.jsonl), HTTP archives (.har) and tapes (.tape), and prints one call id a \
      line, in the order of the input. What is in the archive already, with the same bytes, request and start, is skipped and \
      its id printed; a timed capture that names a call_id is told by that alone. What was erased is not imported again \
      (exit 2); a capture that names no call is taken for an erased one that started at the same moment. A tape is checked first, with leaf \
      hashes and proofs, and taken whole or not at all; so is an HTTP archive, of which event streams, generation \
      endpoints and what was posted as JSON are taken. A file that cannot be read to its \
      end leaves the calls that were complete, and the next one is read.

      Example: tapedeck import --request body.json stream.sse
      """)

  @Option(help: ArgumentHelp("The request body of captures that have none.", valueName: "body.json")) var request:
    String?
  @Option(
    help: ArgumentHelp(
      "When an .sse capture started (default: its first `created`, else the file's time).", valueName: "time"))
  var startedAt: String?
  @Flag(help: "Import also what is there already.") var again = false
  @Argument(help: "Captures; - is standard input, and tells by its beginning what it is.") var files: [String]
  @OptionGroup var store: StoreOption

  func run() throws {
    var options = Importer.Options(again: again)
    options.request = try request.map(Self.read)
    options.startedAtNs = try startedAt.map { try TimeParser.moment($0, zone: .utc, nowNs: SystemClock().wallNs()) }
    options.redactions = try Configuration.load(store.config).redactions
    let store = try store.open(.writing)
    let importer = try Importer(store: store, options: options, log: Console.logger)
    var hasFailed = false
    let bar = ProgressBar("importing")
    defer { bar.finish() }
    let sizes = files.map { (try? FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int) ?? 0 }
    let total = sizes.reduce(0, +)
    var before = 0
    for (file, size) in zip(files, sizes) {
      importer.onRead = { bar.update(before + min($0, size), of: total) }
      defer { before += size }
      let result = importer.importCalls(of: file)
      bar.finish()
      for outcome in result.outcomes where !outcome.wasErased { StandardOutput.write("\(outcome.id)\n") }
      for outcome in result.outcomes where outcome.wasErased {
        hasFailed = true
        StandardOutput.note(
          TerminalText.escaped(
            "tapedeck: call \(outcome.id) was erased from this store, so it is not imported from \(file) again; "
              + "--again imports it, as a new call"))
      }
      if let remark = result.remark { StandardOutput.note("tapedeck: \(TerminalText.escaped(remark))") }
      guard let failure = result.failure else { continue }
      hasFailed = true
      StandardOutput.note("tapedeck: \(failure)")
    }
    // What came before an error stays, and can be asked for.
    try importer.finish()
    let indexing = ProgressBar("indexing")
    defer { indexing.finish() }
    try Indexer(store: store, log: Console.logger).run { indexing.update($0.doneBytes, of: $0.totalBytes) }
    if hasFailed { throw ExitCode(2) }
  }

  private static func read(_ path: String) throws -> [UInt8] {
    do {
      return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw TapeError(.usage, "cannot read the request body from \(path): \(error.localizedDescription)")
    }
  }
}
