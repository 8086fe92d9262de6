internal import GRDB

/// Threads of calls that go on from one another by `previous_response_id` and name no thread.
///
/// Such a call is of the thread of the call that made that response, or, if that is not there, of the one that is named
/// as the response. A call that others go on from, and that goes on from none itself, is of the thread that is named as
/// its own response. What comes out is the same in whatever order calls come and go. Of several calls with one response
/// id the first counts.
extension CatalogueTransaction {
  /// Gives a row that is about to be written its thread.
  func nameThread(of row: inout CallRow) throws {
    guard row.threadID == nil else { return }
    if let previous = row.previousResponseID {
      row.threadID = try thread(ofResponse: previous) ?? previous
    } else if let response = row.chainedResponseID, try isFollowed(response) {
      row.threadID = response
    }
  }

  /// A row was written: calls that it goes on from may have had no thread so far, and calls that go on from it another.
  func joinThreads(of row: CallRow) throws {
    if let previous = row.previousResponseID, try !isFollowed(previous, besides: row.callKey) {
      try rename(beginningsOf: previous, from: nil, to: previous)
    }
    if let response = row.chainedResponseID { try passOnThread(from: response) }
  }

  /// What a row that is about to be removed has to do with threads.
  func chainLink(of key: Int64) throws -> ChainLink {
    let statement = try database.cachedStatement(
      sql: "SELECT dialect, response_id, previous_response_id FROM calls WHERE call_key = ?")
    guard let row = try Row.fetchOne(statement, arguments: [key]) else { return ChainLink() }
    let isChained = row[0] as String? == CallRow.chainedDialect
    return ChainLink(response: isChained ? row[1] : nil, previous: row[2])
  }

  /// A row was removed.
  func partThreads(_ link: ChainLink) throws {
    if let previous = link.previous, try !isFollowed(previous) {
      try rename(beginningsOf: previous, from: previous, to: nil)
    }
    if let response = link.response { try passOnThread(from: response) }
  }

  /// What of a row others may go on from, and what it goes on from.
  struct ChainLink {
    var response: String?
    var previous: String?
  }

  private func thread(ofResponse response: String) throws -> String? {
    let statement = try database.cachedStatement(
      sql: "SELECT thread_id FROM calls WHERE response_id = ? AND dialect = ? ORDER BY call_key LIMIT 1")
    return try Row.fetchOne(statement, arguments: [response, CallRow.chainedDialect])?[0]
  }

  private func isFollowed(_ response: String, besides key: Int64 = -1) throws -> Bool {
    let statement = try database.cachedStatement(
      sql: "SELECT EXISTS (SELECT 1 FROM calls WHERE previous_response_id = ? AND call_key <> ?)")
    return try Bool.fetchOne(statement, arguments: [response, key]) ?? false
  }

  /// Calls that go on from none and name no thread: those have none, or the one that is named as their response.
  private func rename(beginningsOf response: String, from old: String?, to new: String?) throws {
    let statement = try database.cachedStatement(
      sql: """
        SELECT call_key FROM calls
        WHERE response_id = ? AND dialect = ? AND previous_response_id IS NULL AND thread_id IS ?
        """)
    for key in try Int64.fetchAll(statement, arguments: [response, CallRow.chainedDialect, old]) {
      try setThread(new, of: key)
    }
  }

  /// Calls that go on from a response get its thread, and those that go on from theirs.
  private func passOnThread(from response: String) throws {
    let statement = try database.cachedStatement(
      sql: """
        SELECT call_key, response_id FROM calls WHERE previous_response_id = ?1 AND thread_id IS NULL
        UNION ALL SELECT call_key, response_id FROM calls WHERE previous_response_id = ?1 AND thread_id < ?2
        UNION ALL SELECT call_key, response_id FROM calls WHERE previous_response_id = ?1 AND thread_id > ?2
        """)
    var responses = [response]
    // Two that name each other are no reason to go round for ever.
    var seen: Set<Int64> = []
    while let response = responses.popLast() {
      let thread = try thread(ofResponse: response) ?? response
      for row in try Row.fetchAll(statement, arguments: [response, thread]) {
        let key: Int64 = row[0]
        guard seen.insert(key).inserted else { continue }
        try setThread(thread, of: key)
        if let next = row[1] as String? { responses.append(next) }
      }
    }
  }

  private func setThread(_ thread: String?, of key: Int64) throws {
    let value: SQLValue = thread.map { .text($0) } ?? .null
    try execute("UPDATE calls SET thread_id = ? WHERE call_key = ?", [value, .integer(key)])
    try loosenUsage(of: key)
  }
}

extension CallRow {
  /// Answers of this dialect are what others go on from.
  static let chainedDialect = "openai_responses"

  var chainedResponseID: String? { dialect == Self.chainedDialect ? responseID : nil }
}
