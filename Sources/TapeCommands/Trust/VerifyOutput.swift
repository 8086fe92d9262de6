internal import TapeArchive
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

/// A report of `verify`, as it is printed.
struct VerifyOutput {
  let json: JSONValue
  let damage: [Damage]
  private let notes: [VerifyReport.Note]
  private let summary: [String]

  init(_ report: VerifyReport, store: String) {
    damage = report.damage
    notes = report.notes
    json = report.json(store: store)
    var lines = [
      "\(Self.count(report.sealedCalls, "call")) in \(Self.count(report.segments, "segment")), each with its leaf hash"
        + (report.erasedCalls > 0 ? "; \(report.erasedCalls) erased" : "")
        + (report.removedCalls > 0 ? "; \(report.removedCalls) removed by retention" : "")
    ]
    if report.journals > 0 {
      let calls = Self.count(report.unsealedCalls + report.openCalls, "call")
      lines.append("\(Self.count(report.journals, "journal")) with \(calls) that are chained, and not in the tree yet")
    }
    lines.append("tree of \(report.treeSize), root \(report.root?.description ?? "unknown")")
    lines += report.checkpoints.filter { $0.result == .same || $0.result == .older }.map(Self.sentence)
    summary = lines
  }

  init(_ verdict: CallVerdict) {
    damage = verdict.damage
    notes = verdict.notes
    json = verdict.json
    let what =
      switch verdict.place {
      case .segment: "call \(verdict.id) has its leaf hash"
      case .journal: "call \(verdict.id) is in a journal: chained, and not in the tree yet"
      case .erased: "call \(verdict.id) was erased; its leaf hash is in the tree"
      case .removed: "call \(verdict.id) was removed by retention; its leaf hash is in the tree"
      }
    let leaf = verdict.leafNumber.map {
      ["leaf \($0) of \(verdict.treeSize), root \(verdict.root?.description ?? "unknown")"]
    }
    summary =
      [what] + (leaf ?? [])
      + verdict.checkpoints.filter { $0.result == .same || $0.result == .older }.map(Self.sentence)
  }

  // MARK: Printing

  func print(_ format: OutputFormat) {
    switch format {
    case .json: StandardOutput.write(json: json.pretty)
    case .ndjson: StandardOutput.write(json: json.compact)
    case .table: printLines()
    case .csv, .markdown:
      let rows =
        damage.map { Self.row("damage", $0.json) } + notes.map { Self.row($0.kind.rawValue, $0.json) }
      let columns = ["kind", "file", "offset", "calls", "message"]
      RowPrinter(format: format, columns: columns.map { Column($0.uppercased(), $0) }, csvColumns: columns).print(rows)
    }
  }

  private static func row(_ kind: String, _ value: JSONValue) -> JSONValue {
    [
      "kind": .string(kind), "file": value["file"] ?? .null, "offset": value["offset"] ?? .null,
      "calls": .string((value["calls"]?.array ?? []).compactMap(\.string).joined(separator: " ")),
      "message": value["message"] ?? .null,
    ]
  }

  private func printLines() {
    var lines = notes.map { "note: \($0.file): \($0.message)\(Self.names($0.calls))" }
    lines += damage.map { item in
      "DAMAGE: \(item.file)\(item.offset > 0 ? " at byte \(item.offset)" : ""): \(item.message)\(Self.names(item.calls))"
    }
    if damage.isEmpty {
      lines += summary + ["all is as it was recorded"]
    } else {
      let calls = Set(damage.flatMap(\.calls)).count
      let affected = calls == 0 ? "" : ", \(Self.count(calls, "call")) affected"
      lines.append("\(Self.count(damage.count, "thing")) wrong\(affected)")
    }
    Pager.start()
    StandardOutput.write(lines.map { TerminalText.escaped($0) + "\n" }.joined())
  }

  private static func sentence(_ compared: VerifyReport.Compared) -> String {
    let signed = compared.signature == .valid ? ", signed" : ""
    return compared.result == .same
      ? "\(compared.file): the checkpoint of the archive as it is\(signed)"
      : "\(compared.file): the archive goes on from this checkpoint of \(compared.size)\(signed)"
  }

  private static func names(_ calls: [CallID]) -> String {
    guard !calls.isEmpty else { return "" }
    let shown = calls.prefix(10).map(\.description).joined(separator: ", ")
    return calls.count > 10
      ? " (calls \(shown) and \(calls.count - 10) more)" : " (\(calls.count == 1 ? "call" : "calls") \(shown))"
  }

  private static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }
}
