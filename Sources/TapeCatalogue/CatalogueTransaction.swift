internal import GRDB
package import TapeTypes

/// What can be done to a catalogue inside one transaction. Valid only inside the closure that got it.
package struct CatalogueTransaction {
  let database: Database

  /// What the catalogue has of a call.
  package struct Known: Sendable, Equatable {
    package var callKey: Int64
    package var state: String
    package var file: String
    package var offset: Int
    package var leafHash: String?
  }

  package func known(_ id: CallID) throws -> Known? { try known(id.description) }

  /// Writes the row of a call and all that belongs to it; replaces what was there.
  ///
  /// - Parameter content: nil leaves what belongs to the row as it is.
  package func upsert(_ row: CallRow, id: CallID, content: CallContent?) throws {
    var row = row
    row.callID = id.description
    try nameThread(of: &row)
    // Not INSERT OR REPLACE: SQLite then keeps a copy of every page that it touches.
    if let known = try known(row.callID) {
      row.callKey = known.callKey
      if content != nil { try removeBelongings(of: known.callKey) }
      try execute(Self.updateCall, row.values)
    } else {
      row.callKey = try freeKey(for: id)
      try execute(Self.insertCall, row.values)
    }
    if let content { try insertBelongings(of: row.callKey, content) }
    try loosenUsage(of: row.callKey)
    try joinThreads(of: row)
  }

  /// Only the place in the archive has changed.
  package func move(_ known: Known, file: String, offset: Int) throws {
    try execute(
      "UPDATE calls SET archive_file = ?, archive_offset = ? WHERE call_key = ?",
      [.text(file), SQLValue(offset), .integer(known.callKey)])
  }

  /// Removes the calls that lie in `file`; returns how many there were.
  package func removeCalls(in file: String) throws -> Int {
    let keys = try Int64.fetchAll(
      database.cachedStatement(sql: "SELECT call_key FROM calls WHERE archive_file = ?"), arguments: [file])
    for key in keys { try removeCall(key) }
    try execute("DELETE FROM erased WHERE archive_file = ?", [.text(file)])
    return keys.count
  }

  /// What is indexed: file name → bytes.
  package func sources() throws -> [String: Int] {
    var sources: [String: Int] = [:]
    let rows = try Row.fetchCursor(database.cachedStatement(sql: "SELECT file, indexed_bytes FROM sources"))
    while let row = try rows.next() { sources[row[0]] = row[1] }
    return sources
  }

  /// When each file had last been changed: file name → ns.
  package func sourceTimes() throws -> [String: Int64] {
    var times: [String: Int64] = [:]
    let rows = try Row.fetchCursor(database.cachedStatement(sql: "SELECT file, modified_ns FROM sources"))
    while let row = try rows.next() { times[row[0]] = row[1] }
    return times
  }

  /// Journals that were read in another boot of the machine than this.
  package func journals(ofOtherBootsThan boot: Int64) throws -> [String] {
    try String.fetchAll(
      database.cachedStatement(sql: "SELECT file FROM sources WHERE kind = 'journal' AND boot IS NOT ?"),
      arguments: [boot])
  }

  /// - Parameter boot: `Store.boot`, for a journal.
  package func setSource(
    _ file: String, kind: String, bytes: Int, modifiedNs: Int64 = 0, boot: Int64? = nil
  ) throws {
    try execute(
      "INSERT OR REPLACE INTO sources (file, kind, indexed_bytes, modified_ns, boot) VALUES (?, ?, ?, ?, ?)",
      [.text(file), .text(kind), SQLValue(bytes), .integer(modifiedNs), SQLValue(boot)])
  }

  package func removeSource(_ file: String) throws {
    try execute("DELETE FROM sources WHERE file = ?", [.text(file)])
    try execute("DELETE FROM damage WHERE file = ?", [.text(file)])
  }

  /// Something is noted as damage of this file.
  package func hasDamage(in file: String) throws -> Bool {
    try Bool.fetchOne(
      database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM damage WHERE file = ?)"), arguments: [file]) ?? false
  }

  /// - Parameter calls: JSON array of call ids.
  package func addDamage(file: String, offset: Int, calls: String, message: String) throws {
    try execute(
      "INSERT OR REPLACE INTO damage (file, offset, calls, message) VALUES (?, ?, ?, ?)",
      [.text(file), SQLValue(offset), .text(calls), .text(message)])
  }

  /// The files with calls whose state is `open`.
  package func filesOfOpenCalls() throws -> [String] {
    try String.fetchAll(database, sql: "SELECT DISTINCT archive_file FROM calls WHERE state = 'open'")
  }

  /// What is said of files that cannot be indexed for a reason with these words.
  package func damage(saying words: String) throws -> [(file: String, message: String)] {
    let sql = "SELECT file, message FROM damage WHERE instr(message, ?) ORDER BY file, offset"
    return try Row.fetchAll(database, sql: sql, arguments: [words]).map { ($0[0], $0[1]) }
  }

  package func count(_ sql: String) throws -> Int { try Int.fetchOne(database, sql: sql) ?? 0 }
}

/// What belongs to a call beside its row.
package struct CallContent: Sendable, Equatable {
  package var prompt = ""
  package var completion = ""
  package var threadTags: [String] = []
  package var identityTags: [String] = []

  package init(prompt: String = "", completion: String = "", threadTags: [String] = [], identityTags: [String] = []) {
    self.prompt = prompt
    self.completion = completion
    self.threadTags = threadTags
    self.identityTags = identityTags
  }
}

// MARK: Erasure

extension CatalogueTransaction {
  /// True if the archive has no more than a tombstone of the call.
  package func isErased(_ id: CallID) throws -> Bool {
    let statement = try database.cachedStatement(sql: "SELECT 1 FROM erased WHERE call_id = ?")
    return try Int.fetchOne(statement, arguments: [id.description]) != nil
  }

  /// Removes all that is known of a call but when it was erased, and what was kept of its usage.
  ///
  /// - Parameter kept: the row of what was kept.
  /// - Returns: true if there was something to remove.
  @discardableResult
  package func bury(_ id: CallID, startedNs: Int64, erasedNs: Int64, file: String, kept: CallRow?) throws -> Bool {
    let known = try known(id.description)
    if let known { try removeCall(known.callKey) }
    try execute(
      "INSERT OR REPLACE INTO erased (call_id, started_ns, erased_ns, archive_file) VALUES (?, ?, ?, ?)",
      [.text(id.description), .integer(startedNs), .integer(erasedNs), .text(file)])
    if var row = kept {
      row.callID = id.description
      row.callKey = try known?.callKey ?? freeKey(for: id)
      try execute(Self.insertCall, row.values)
      try loosenUsage(of: row.callKey)
    }
    return known != nil
  }

  /// Removes the row of a call, and all that belongs to it, but for one of kept usage.
  package func removeUnlessKept(_ id: CallID) throws {
    let statement = try database.cachedStatement(
      sql: "SELECT call_key FROM calls WHERE call_id = ? AND erased_ns IS NULL")
    guard let key = try Int64.fetchOne(statement, arguments: [id.description]) else { return }
    try removeCall(key)
  }

  /// Removes a row and all that belongs to it.
  private func removeCall(_ key: Int64) throws {
    let link = try chainLink(of: key)
    try removeBelongings(of: key)
    try removeUsage(of: key)
    try execute("DELETE FROM calls WHERE call_key = ?", [.integer(key)])
    try partThreads(link)
  }
}

extension CatalogueTransaction {
  private static let insertCall =
    "INSERT INTO calls (\(CallRow.columns.joined(separator: ", "))) VALUES "
    + "(\(CallRow.columns.map { _ in "?" }.joined(separator: ", ")))"

  /// The values are numbered as those of the INSERT: the first is `call_key`.
  private static let updateCall =
    "UPDATE calls SET "
    + CallRow.columns.enumerated().dropFirst().map { "\($1) = ?\($0 + 1)" }.joined(separator: ", ")
    + " WHERE call_key = ?1"

  func execute(_ sql: String, _ values: [SQLValue]) throws {
    let statement = try database.cachedStatement(sql: sql)
    statement.setUncheckedArguments(values.arguments)
    try statement.execute()
  }

  private func known(_ id: String) throws -> Known? {
    let statement = try database.cachedStatement(
      sql: "SELECT call_key, state, archive_file, archive_offset, leaf_hash FROM calls WHERE call_id = ?")
    return try Row.fetchOne(statement, arguments: [id]).map {
      Known(callKey: $0[0], state: $0[1], file: $0[2], offset: $0[3], leafHash: $0[4])
    }
  }

  /// Two calls of the same millisecond may want the same key; the second takes the next one.
  private func freeKey(for id: CallID) throws -> Int64 {
    var key = CallRow.key(of: id)
    let statement = try database.cachedStatement(sql: "SELECT 1 FROM calls WHERE call_key = ?")
    while try Int.fetchOne(statement, arguments: [key]) != nil { key += 1 }
    return key
  }

  private func insertBelongings(of key: Int64, _ content: CallContent) throws {
    let (threadTags, identityTags) = (Set(content.threadTags).sorted(), Set(content.identityTags).sorted())
    for (kind, tags) in [("thread", threadTags), ("identity", identityTags)] {
      for tag in tags {
        try execute(
          "INSERT INTO call_tags (kind, tag, call_key) VALUES (?, ?, ?)", [.text(kind), .text(tag), .integer(key)])
      }
    }
    guard !content.prompt.isEmpty || !content.completion.isEmpty else { return }
    try execute(
      "INSERT INTO call_text (call_key, prompt, completion) VALUES (?, ?, ?)",
      [.integer(key), .text(content.prompt), .text(content.completion)])
    try execute(
      "INSERT INTO call_fts (rowid, prompt, completion) VALUES (?, ?, ?)",
      [.integer(key), .text(FullText.indexed(content.prompt)), .text(FullText.indexed(content.completion))])
  }

  private func removeBelongings(of key: Int64) throws {
    try execute("DELETE FROM call_tags WHERE call_key = ?", [.integer(key)])
    let statement = try database.cachedStatement(sql: "SELECT prompt, completion FROM call_text WHERE call_key = ?")
    guard let row = try Row.fetchOne(statement, arguments: [key]) else { return }
    // A contentless index forgets a row only if it is told again what was in it.
    try execute(
      "INSERT INTO call_fts (call_fts, rowid, prompt, completion) VALUES ('delete', ?, ?, ?)",
      [.integer(key), .text(FullText.indexed(row[0])), .text(FullText.indexed(row[1]))])
    try execute("DELETE FROM call_text WHERE call_key = ?", [.integer(key)])
  }
}
