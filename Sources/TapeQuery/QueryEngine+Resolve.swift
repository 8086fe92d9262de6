internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapeTypes

extension QueryEngine {
  /// Finds a call by what people call it: call id in any case, an unambiguous prefix of one, response id, span id,
  /// or `@1` (latest), `@2`, …
  ///
  /// - Throws: `TapeError` `.notFound`; `.usage` with the candidates when several match.
  package func resolve(_ reference: String) throws -> CallEntry {
    if reference.hasPrefix("@") { return try resolve(ordinal: reference) }
    let upper = reference.uppercased()
    for (condition, values) in Self.exact(reference, upper) {
      let found = try matches(condition, values)
      if let entry = found.first {
        guard found.count == 1 else { throw ambiguous(reference, found) }
        return entry
      }
    }
    if !upper.isEmpty, upper.utf8.count < 26, upper.utf8.allSatisfy(Self.isCrockford) {
      // "Z" is the highest character of an id.
      let found = try matches("c.call_id >= ? AND c.call_id <= ?", [upper, upper + "ZZ"], order: "c.call_id DESC")
      if let entry = found.first {
        guard found.count == 1 else { throw ambiguous(reference, found) }
        return entry
      }
    }
    try checkErased(upper)
    if let id = CallID(reference), let entry = try inArchive(id) { return entry }
    throw TapeError(
      .notFound,
      "no call '\(reference)' in \(store.path): give a call id or its beginning, a response id, a span id, or @1 for the latest"
    )
  }

  private static func exact(_ reference: String, _ upper: String) -> [(String, [String])] {
    [
      ("c.call_id = ?", [CallID(reference)?.description ?? upper]),
      ("c.response_id IN (?, ?)", [reference, upper]),
      ("c.span_id IN (?, ?)", [reference, reference.lowercased()]),
    ]
  }

  private func resolve(ordinal reference: String) throws -> CallEntry {
    guard let number = Int(reference.dropFirst()), number > 0 else {
      throw TapeError(.usage, "'\(reference)' names no call: @1 is the latest, @2 the one before")
    }
    var entry: CallEntry?
    let sql =
      "SELECT \(CallEntry.columns) FROM calls c WHERE c.erased_ns IS NULL "
      + "ORDER BY \(CallOrder(.newest).sql) LIMIT 1 OFFSET \(number - 1)"
    try catalogue.query(sql) { entry = CallEntry($0) }
    guard let entry else {
      let count = try catalogue.snapshot { try $0.integer("SELECT count(*) FROM calls WHERE erased_ns IS NULL") } ?? 0
      throw TapeError(
        .notFound, "no call \(reference) in \(store.path): it has \(count) \(count == 1 ? "call" : "calls")")
    }
    return entry
  }

  /// A few of the calls that a condition holds for.
  private func matches(
    _ condition: String, _ values: [String], order: String = CallOrder(.newest).sql
  ) throws -> [CallEntry] {
    var found: [CallEntry] = []
    let sql =
      "SELECT \(CallEntry.columns) FROM calls c WHERE (\(condition)) AND c.erased_ns IS NULL "
      + "ORDER BY \(order) LIMIT 7"
    try catalogue.query(sql, values.map { .text($0) }) { row in
      if let entry = CallEntry(row) { found.append(entry) }
    }
    return found
  }

  /// Who asks for a call that was erased is told so.
  ///
  /// - Throws: `TapeError` `.erased`.
  private func checkErased(_ upper: String) throws {
    guard !upper.isEmpty, upper.utf8.count <= 26, upper.utf8.allSatisfy(Self.isCrockford) else { return }
    var found: [(id: CallID, erasedNs: Int64)] = []
    let sql = "SELECT call_id, erased_ns FROM erased WHERE call_id >= ? AND call_id <= ? LIMIT 2"
    try catalogue.query(sql, [.text(upper), .text(upper + "ZZ")]) { row in
      if let id = row.text(0).flatMap({ CallID($0) }), let erased = row.integer(1) { found.append((id, Int64(erased))) }
    }
    if found.count == 1 { throw TapeError.erased(found[0].id, atNs: found[0].erasedNs) }
  }

  /// Whether the usage of an erased call was kept.
  package func keepsUsage(of id: CallID) throws -> Bool {
    let sql = "SELECT count(*) FROM calls WHERE call_id = ? AND erased_ns IS NOT NULL"
    return try catalogue.snapshot { try $0.integer(sql, [.text(id.description)]) } ?? 0 > 0
  }

  private func ambiguous(_ reference: String, _ found: [CallEntry]) -> TapeError {
    let shown = found.prefix(6).map(\.id.description).joined(separator: ", ")
    let more = found.count > 6 ? ", …" : ""
    return TapeError(.usage, "'\(reference)' may mean several calls: \(shown)\(more). Give more of the id")
  }

  /// A call that is on tape but not in the catalogue yet.
  private func inArchive(_ id: CallID) throws -> CallEntry? {
    guard let (call, location) = try archive.find(id) else { return nil }
    var generation = generation(of: call)
    generation.noteArchiveDamage(integrityProblem(of: call), end: call.end)
    let state = CallState(
      head: call.head, end: call.end, isLive: call.isLive, isComplete: generation.endedWhole ?? generation.complete,
      hasErrorFrame: generation.hasErrorFrame)
    return CallEntry(id: id, location: location, state: state, startedAtNs: call.open.startedAtNs)
  }

  private static func isCrockford(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39: true
    case 0x49, 0x4C, 0x4F, 0x55: false  // I, L, O, U
    case 0x41...0x5A: true
    default: false
    }
  }
}
