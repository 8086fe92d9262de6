internal import ArgumentParser
internal import TapeArchive
internal import TapeIndexer
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// `tapedeck erase`
struct EraseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "erase", abstract: "Erase calls for good: by identity, by call or by age.",
    discussion: """
      Works beside running recorders; a call that still streams is erased when it ends. Of each call a tombstone stays \
      in the archive, with the hash that keeps the root and all other proofs, and without the salt that would let \
      anyone guess it back. Not reached: copies made elsewhere (exports, backups, snapshots), what others wrote about \
      the person, and blocks of a disk that were given back and not written over yet.

      Example: tapedeck erase --identity ada@example.com --keep-usage
      """)

  @Option(help: ArgumentHelp("All calls of an identity: its id or email.", valueName: "id")) var identity: String?
  @Option(
    help: ArgumentHelp("A call id or a prefix of one, a response id, a span id, or @1; may be given several times."))
  var call: [String] = []
  @Option(help: ArgumentHelp("All calls that started longer ago, e.g. 90d.", valueName: "duration"))
  var olderThan: String?
  @Flag(help: "Keep token totals, model, state and times for the sums of usage; nothing that says whose they were.")
  var keepUsage = false
  @Flag(help: "Do not ask.") var yes = false
  @OptionGroup var store: StoreOption
  @OptionGroup var format: FormatOption

  func run() throws {
    try check()
    let store = try store.openExisting()
    let erasure = Erasure(store: store, log: Console.logger)
    let calls = try find(in: store, erasure)
    guard !calls.isEmpty else {
      // What was asked for before may still be waiting.
      if try !ErasureList.pending(in: store).isEmpty { _ = try erasure.erase([]) }
      throw TapeError(.notFound, "nothing to erase: no calls of \(what) in \(store.path)")
    }
    if !yes { try ask(calls) }
    try print(erasure.erase(calls.map(\.id), keepUsage: keepUsage), found: calls.count)
  }

  private func check() throws {
    let given = [identity != nil, !call.isEmpty, olderThan != nil].count { $0 }
    guard given == 1 else {
      throw TapeError(.usage, "say what to erase: one of --identity ID, --call CALL, --older-than 90d")
    }
    guard identity != "" else { throw TapeError(.usage, "--identity needs an id or an email") }
    guard yes || isatty(0) == 1 else {
      throw TapeError(.usage, "erasing cannot be undone and nobody can be asked here: confirm it with --yes")
    }
  }

  private var what: String {
    if let identity { return "identity '\(identity)'" }
    if let olderThan { return "more than \(olderThan) ago" }
    return call.joined(separator: ", ")
  }

  // MARK: What is meant

  private func find(in store: Store, _ erasure: Erasure) throws -> [ErasableCall] {
    if let identity { return try erasure.find(.identity(identity)) }
    if let olderThan {
      let age = try Durations.age(olderThan, flag: "--older-than")
      return try erasure.find(.startedBefore(SystemClock().wallNs() - age))
    }
    var calls: [ErasableCall] = []
    for reference in call {
      let found = try find(reference, in: store, erasure)
      if !calls.contains(found) { calls.append(found) }
    }
    return calls
  }

  private func find(_ reference: String, in store: Store, _ erasure: Erasure) throws -> ErasableCall {
    do {
      let entry = try QueryEngine(store: store).resolve(reference)
      return ErasableCall(id: entry.id, startedAtNs: entry.startedAtNs)
    } catch let error as TapeError where error.code == .catalogueMissing || error.code == .catalogueStale {
      guard let id = CallID(reference) else { throw error }
      guard let found = try erasure.find(.call(id)).first else {
        throw TapeError(.notFound, "no call '\(reference)' in \(store.path)")
      }
      return found
    } catch let error as TapeError where error.code == .erased && !keepUsage {
      // What was kept of its usage can still go.
      guard let id = CallID(reference), try QueryEngine(store: store).keepsUsage(of: id) else { throw error }
      return ErasableCall(id: id, startedAtNs: Int64(id.milliseconds) * 1_000_000)
    }
  }

  private func ask(_ calls: [ErasableCall]) throws {
    let times = calls.map(\.startedAtNs)
    let (first, last) = (RFC3339.string(times.min() ?? 0), RFC3339.string(times.max() ?? 0))
    let count = calls.count == 1 ? "1 call" : "\(calls.count) calls"
    let kept = keepUsage ? "Their token totals stay." : "Nothing of them stays, no usage either."
    StandardOutput.note(TerminalText.escaped("\(count) of \(what), started \(first) to \(last). \(kept)"))
    StandardOutput.note("This cannot be undone. Erase? [y/N]")
    guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
      throw TapeError(.failed, "nothing was erased")
    }
  }

  // MARK: The report

  private func print(_ report: ErasureReport, found: Int) throws {
    let object = Self.json(report, found: found, keepsUsage: keepUsage)
    switch format.resolved {
    case .json: StandardOutput.write(json: object.pretty)
    case .ndjson: StandardOutput.write(json: object.compact)
    case .csv: RowPrinter(format: .csv, columns: []).print([object])
    case .table, .markdown: printLines(report, found: found)
    }
    for damage in report.damage { StandardOutput.note("tapedeck: damage: \(damage)") }
    let isStuck = report.pending.contains { if case .damaged = $0.reason { true } else { false } }
    if isStuck { throw ExitCode(2) }
  }

  private static func json(_ report: ErasureReport, found: Int, keepsUsage: Bool) -> JSONValue {
    func strings(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }
    return .object([
      .init("calls_found", .int(found)), .init("calls_erased", .int(report.erased.count)),
      .init("kept_usage", .bool(keepsUsage)), .init("calls", strings(report.erased.map(\.description))),
      .init("files_rewritten", strings(report.rewritten)), .init("files_removed", strings(report.removed)),
      .init("bytes_freed", .int(report.bytesFreed)),
      .init(
        "pending",
        .array(
          report.pending.map {
            .object([.init("call_id", .string($0.id.description)), .init("why", .string($0.reason.sentence))])
          })),
    ])
  }

  private func printLines(_ report: ErasureReport, found: Int) {
    var lines = [
      "calls found      \(found)", "calls erased     \(report.erased.count)",
      "files rewritten  \(report.rewritten.count)", "files removed    \(report.removed.count)",
      "bytes freed      \(report.bytesFreed)", "pending          \(report.pending.count)",
    ]
    lines += report.pending.map { "  \($0.id)  \($0.reason.sentence)" }
    StandardOutput.write(lines.map { TerminalText.escaped($0) }.joined(separator: "\n") + "\n")
  }
}

extension ErasureReport.Pending.Reason {
  /// Why the call is not gone, and what becomes of it.
  var sentence: String {
    switch self {
    case .streaming: "it still streams: it is erased when it ends and its journal is sealed"
    case .journal(let name):
      "it lies in \(name), which its recorder still writes to: it is erased when that is followed by the next one"
    case .damaged(let file, let message): "it cannot be taken out of \(file): \(message)"
    case .usage: "its usage is to be kept, which only serve, seal and erase can do: run one of them"
    case .catalogue: "the archive has no more of it; the catalogue is cleaned by whoever indexes next"
    }
  }
}
