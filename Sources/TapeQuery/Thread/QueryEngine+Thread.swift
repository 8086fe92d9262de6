internal import TapeArchive
internal import TapeCatalogue
package import TapeJSON
internal import TapePricing
package import TapeTypes

/// One call of a thread.
package struct ThreadCall {
  package let id: CallID
  /// The object of `thread`; nil if the call cannot be read.
  package let json: JSONValue?
  /// What of the call is missing on tape; nil if nothing is.
  package let damage: String?
}

extension QueryEngine {
  /// The calls of a thread in the order of their start, each with what it says that was not said before. One call is
  /// held in memory at a time, and the messages of the one before.
  ///
  /// - Parameters:
  ///   - thread: its id, or `@1`, `@2`, … for the thread of a call.
  ///   - full: media whole, not as type, size and hash.
  /// - Throws: `TapeError` `.notFound` with the threads that begin alike.
  package func thread(_ thread: String, full: Bool = false, _ body: (ThreadCall) throws -> Void) throws {
    var filter = CallFilter()
    filter.thread = try threadID(thread)
    let entries = try entries(filter, sort: .oldest)
    guard !entries.isEmpty else { throw try unknown("thread", thread, columns: ["thread_id"]) }
    var report = ThreadReport(prices: try prices, full: full)
    for entry in entries {
      let recorded: RecordedCall
      do {
        recorded = try self.recorded(entry)
      } catch let error as TapeError where error.code == .erased || error.code == .notFound {
        continue
      } catch let error as TapeError where error.code == .corrupt {
        try body(ThreadCall(id: entry.id, json: nil, damage: error.description))
        continue
      }
      let shown = ShownCall(recorded, at: entry.location, prices: report.prices)
      let json = report.add(recorded, shown)
      try body(ThreadCall(id: entry.id, json: json, damage: integrityProblem(of: recorded)))
    }
  }

  private func threadID(_ reference: String) throws -> String {
    guard reference.hasPrefix("@") else { return reference }
    let entry = try resolve(reference)
    guard let thread = try text("thread_id", of: entry.id) else {
      throw TapeError(.notFound, "call \(entry.id) is of no thread: its request names none")
    }
    return thread
  }

  /// A column of a call; nil for NULL.
  func text(_ column: String, of call: CallID) throws -> String? {
    var text: String?
    try catalogue.query("SELECT \(column) FROM calls WHERE call_id = ?", [.text(call.description)]) {
      text = $0.text(0)
    }
    return text
  }

  /// The error for a name that no call has, with those that begin like it.
  func unknown(_ what: String, _ name: String, columns: [String]) throws -> TapeError {
    var found: [String] = []
    for column in columns where !name.isEmpty && !name.hasPrefix("@") {
      // U+10FFFF is behind every character that may follow.
      let sql = """
        SELECT DISTINCT \(column) FROM calls
        WHERE \(column) >= ? AND \(column) <= ? ORDER BY \(column) LIMIT 7
        """
      try catalogue.query(sql, [.text(name), .text(name + "\u{10FFFF}")]) { row in
        // Names as they were recorded: in one line.
        let scalars = (row.text(0) ?? "").unicodeScalars.map { $0 == "\n" || $0 == "\t" ? " " : $0 }
        found.append(String(String.UnicodeScalarView(scalars)))
      }
    }
    let names = Set(found).sorted()
    let shown = names.prefix(6).joined(separator: ", ") + (names.count > 6 ? ", …" : "")
    return TapeError(
      .notFound,
      "no call of the \(what) '\(name)' in \(store.path)" + (names.isEmpty ? "" : "; there is \(shown)"))
  }
}
