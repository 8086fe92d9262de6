package import ArgumentParser
internal import TapeArchive
package import TapeQuery
package import TapeTypes

/// What can be exported to.
package enum ExportTarget: String, CaseIterable, Sendable { case ndjson, csv, har, otlp, frames, tape }

/// What `export` takes, in either executable.
package struct ExportOptions: ParsableArguments {
  /// Every other command has `--to` for a time; here the format's name is told from one.
  @Option(
    help: ArgumentHelp(
      "The format (\(ExportTarget.allCases.map(\.rawValue).joined(separator: ", "))); given again, calls that started before this time.",
      valueName: "format|time"))
  package var to: [String]
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Write to this file, which is there as a whole or not at all (default: stdout).", valueName: "file"))
  package var output: String?
  @Flag(help: "ndjson, csv: images, audio and files whole, not as size and hash.")
  package var full = false
  @Flag(help: "otlp: with prompts and completions, which are left out otherwise.")
  package var content = false
  @Option(help: ArgumentHelp("otlp: send to this collector, e.g. http://127.0.0.1:4318.", valueName: "url"))
  package var endpoint: String?
  @Option(
    name: [.customShort("H"), .long], help: ArgumentHelp("otlp: a header for the collector.", valueName: "name: value"))
  package var header: [String] = []
  @Option(help: ArgumentHelp("otlp: certificates to trust instead of the system's.", valueName: "pem"))
  package var caFile: String?
  @Argument(help: ArgumentHelp("Calls; without any, all that the filters let through.", valueName: "call"))
  package var calls: [String] = []
  @OptionGroup var filters: FilterOptions
  @OptionGroup package var store: StoreOption

  package init() {}

  /// The one format that `--to` names.
  ///
  /// - Throws: `TapeError` `.usage`.
  package func target() throws -> ExportTarget {
    let formats = to.compactMap(ExportTarget.init)
    guard formats.count == 1, let format = formats.first, to.count <= 2 else {
      let known = ExportTarget.allCases.map(\.rawValue).joined(separator: ", ")
      throw TapeError(.usage, "export needs --to with one format (\(known)), not '\(to.joined(separator: "', '"))'")
    }
    try checkFlags(format)
    return format
  }

  private func checkFlags(_ format: ExportTarget) throws {
    if full, format != .ndjson, format != .csv {
      throw TapeError(.usage, "--full goes with --to ndjson and csv; \(format.rawValue) has its own rule")
    }
    guard format != .otlp else {
      if endpoint != nil, output != nil { throw TapeError(.usage, "give --endpoint or --output, not both") }
      if endpoint == nil, !header.isEmpty || caFile != nil {
        throw TapeError(.usage, "--header and --ca-file go with --endpoint")
      }
      return
    }
    for (flag, isGiven) in [
      ("--content", content), ("--endpoint", endpoint != nil), ("--header", !header.isEmpty),
      ("--ca-file", caFile != nil),
    ] where isGiven {
      throw TapeError(.usage, "\(flag) goes with --to otlp only")
    }
  }

  /// - Throws: `TapeError`, as the store, its catalogue and the flags have it.
  package func selection() throws -> ExportSelection {
    let filter = try filters.filter(to: to.first { ExportTarget(rawValue: $0) == nil })
    if !calls.isEmpty, !filter.isEmpty { throw TapeError(.usage, "give calls or filters, not both") }
    let asking = try Asking(store)
    return try ExportSelection(asking, filter, calls)
  }
}

/// The calls that an export is about, read one after the other.
package final class ExportSelection {
  package let engine: QueryEngine
  private let asking: Asking
  private let filter: CallFilter
  /// nil for all that the filter lets through.
  private let named: [CallEntry]?
  private let loader: CallLoader
  private var damaged: [(id: CallID, damage: String)] = []

  fileprivate init(_ asking: Asking, _ filter: CallFilter, _ calls: [String]) throws {
    self.asking = asking
    self.filter = filter
    engine = asking.engine
    loader = CallLoader(asking.engine)
    // A call that is named twice goes out once.
    var seen: Set<CallID> = []
    let resolved = try calls.map(asking.engine.resolve).filter { seen.insert($0.id).inserted }
    named = calls.isEmpty ? nil : resolved.sorted { ($0.startedAtNs, $0.id) < ($1.startedAtNs, $1.id) }
    if named == nil, try engine.entries(filter, sort: .oldest, limit: 1).isEmpty {
      // An empty export is one all the same: to find nothing is a failure of look-ups.
      StandardOutput.note("tapedeck: no call matches: the export is empty")
    }
  }

  /// Hands over each call as it is on tape, in the order of their start. What of them is missing or cannot be read is
  /// told by `finish`.
  package func forEach(_ body: (CallEntry, RecordedCall) throws -> Void) throws {
    try forEachEntry { entry in
      let call: RecordedCall
      do {
        call = try loader.call(entry)
      } catch let error as TapeError where error.code == .corrupt || error.code == .notFound || error.code == .erased {
        damaged.append((entry.id, "it is not in the export: \(error)"))
        return
      }
      if let damage = engine.damage(of: call) { damaged.append((entry.id, damage)) }
      try body(entry, call)
    }
  }

  /// Whether there is such a call; looks no further than to the first.
  func contains(where isMeant: (CallEntry) -> Bool) throws -> Bool {
    struct Found: Error {}
    do {
      try forEachEntry { if isMeant($0) { throw Found() } }
      return false
    } catch is Found {
      return true
    }
  }

  private func forEachEntry(_ body: (CallEntry) throws -> Void) throws {
    if let named { try named.forEach(body) } else { try engine.forEachEntry(filter, body) }
  }

  /// Ends the command: says which calls are not whole, and exits with 2 if any is.
  package func finish() throws { try asking.report(damageIn: damaged) }
}
