internal import GRDB

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// Keeps `usage_blocks` and `usage_loose`: every call is in exactly one of the two, and no two blocks overlap.
extension CatalogueTransaction {
  /// Calls of a full block.
  package static let usageBlockSize = 2048
  /// Fewer calls than these make no block: the latest wait for more, others go to those before them.
  private static let fewCalls = 256

  /// The call's facts are new or have changed: it is in no block.
  func loosenUsage(of key: Int64) throws {
    try dissolveBlock(around: key)
    try execute("INSERT OR IGNORE INTO usage_loose (call_key) VALUES (?)", [.integer(key)])
  }

  /// The call goes.
  func removeUsage(of key: Int64) throws {
    try dissolveBlock(around: key)
    try execute("DELETE FROM usage_loose WHERE call_key = ?", [.integer(key)])
  }

  /// Puts the calls of a block that spans `key` among the loose ones.
  private func dissolveBlock(around key: Int64) throws {
    let statement = try database.cachedStatement(
      sql: "SELECT first_key, last_key FROM usage_blocks WHERE first_key <= ? ORDER BY first_key DESC LIMIT 1")
    guard let row = try Row.fetchOne(statement, arguments: [key]), row[1] as Int64 >= key else { return }
    let (first, last): (Int64, Int64) = (row[0], row[1])
    try execute(
      "INSERT OR IGNORE INTO usage_loose (call_key) SELECT call_key FROM calls WHERE call_key BETWEEN ? AND ?",
      [.integer(first), .integer(last)])
    try execute("DELETE FROM usage_blocks WHERE first_key = ?", [.integer(first)])
  }

  /// Puts loose calls that have ended into blocks, but for the few latest ones and those before open ones.
  package func packUsage() throws {
    for stretch in try looseStretches() {
      var keys = stretch.keys[...]
      if keys.count < Self.fewCalls, !stretch.endsAtBlock { continue }
      while let first = keys.first, let block = try block(before: first) {
        // A block grows as long as it is no larger than what comes to it, so that calls are packed a few times at most.
        let grows = block.calls < Self.usageBlockSize && block.calls <= keys.count
        guard grows || keys.count < Self.fewCalls else { break }
        keys = try dissolve(block)[...] + keys
      }
      if stretch.endsAtBlock {
        try pack(evenly: keys)
      } else {
        let full = keys.prefix(keys.count / Self.usageBlockSize * Self.usageBlockSize)
        try pack(evenly: full)
        if keys.count - full.count >= Self.fewCalls { try pack(keys[full.endIndex...]) }
      }
    }
  }

  private func pack(evenly keys: ArraySlice<Int64>) throws {
    let blocks = (keys.count + Self.usageBlockSize - 1) / Self.usageBlockSize
    for block in 0..<blocks {
      let (from, to) = (keys.count * block / blocks, keys.count * (block + 1) / blocks)
      try pack(keys[(keys.startIndex + from)..<(keys.startIndex + to)])
    }
  }

  private struct Block {
    let first: Int64
    let last: Int64
    let calls: Int
  }

  /// The block that ends where `key` begins.
  private func block(before key: Int64) throws -> Block? {
    let latest = try database.cachedStatement(
      sql: """
        SELECT first_key, last_key, calls FROM usage_blocks WHERE first_key < ? ORDER BY first_key DESC LIMIT 1
        """)
    guard let row = try Row.fetchOne(latest, arguments: [key]) else { return nil }
    let block = Block(first: row[0], last: row[1], calls: row[2])
    let between = try database.cachedStatement(
      sql: "SELECT EXISTS (SELECT 1 FROM calls WHERE call_key > ? AND call_key < ?)")
    return try Bool.fetchOne(between, arguments: [block.last, key]) == true ? nil : block
  }

  /// Puts the calls of a block among the loose ones.
  ///
  /// - Returns: their keys.
  private func dissolve(_ block: Block) throws -> [Int64] {
    try dissolveBlock(around: block.first)
    return try Int64.fetchAll(
      database, sql: "SELECT call_key FROM calls WHERE call_key BETWEEN ? AND ? ORDER BY call_key",
      arguments: [block.first, block.last])
  }

  /// Loose calls without a block or an open call between them.
  private struct Stretch {
    var keys: [Int64] = []
    /// Nothing comes between this and the block behind it.
    var endsAtBlock = false
  }

  private func looseStretches() throws -> [Stretch] {
    var blocks = try Int64.fetchAll(database, sql: "SELECT first_key FROM usage_blocks ORDER BY first_key")[...]
    var stretches: [Stretch] = []
    var current = Stretch()
    func close(before block: Int64?) {
      current.endsAtBlock = block != nil
      if !current.keys.isEmpty { stretches.append(current) }
      current = Stretch()
    }
    let loose = try Row.fetchCursor(
      database,
      sql: """
        SELECT l.call_key, c.state = 'open' FROM usage_loose l JOIN calls c ON c.call_key = l.call_key
        ORDER BY l.call_key
        """)
    while let row = try loose.next() {
      let key: Int64 = row[0]
      while let block = blocks.first, block < key {
        close(before: block)
        blocks.removeFirst()
      }
      if row[1] { close(before: nil) } else { current.keys.append(key) }
    }
    close(before: blocks.first)
    return stretches
  }

  private func pack(_ keys: ArraySlice<Int64>) throws {
    guard let first = keys.first, let last = keys.last else { return }
    var rows: [UsageRow] = []
    // Calls of the same identities meet the same sums, and what is near in those should be near here.
    let statement = try database.cachedStatement(
      sql: """
        SELECT \(UsageRow.columns) FROM calls c WHERE c.call_key BETWEEN ? AND ?
        ORDER BY c.identity_id, c.provider, c.model
        """)
    let found = try Row.fetchCursor(statement, arguments: [first, last])
    while let row = try found.next() { rows.append(UsageRow(SQLRow(row: row))) }
    let started = rows.compactMap { $0.numbers[UsageRow.Number.started.rawValue] }
    guard let earliest = started.min(), let latest = started.max() else { return }
    let insert = try database.cachedStatement(
      sql: """
        INSERT INTO usage_blocks (first_key, last_key, first_started_ns, last_started_ns, calls, data, threads)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """)
    let bytes = UsageBlock(rows).bytes
    try insert.execute(
      arguments: [first, last, earliest, latest, rows.count, Data(bytes.data), Data(bytes.threads)])
    try execute("DELETE FROM usage_loose WHERE call_key BETWEEN ? AND ?", [.integer(first), .integer(last)])
  }
}
