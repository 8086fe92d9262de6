internal import GRDB
internal import TapeTypes

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

extension CatalogueSnapshot {
  /// The usage facts of all calls, block by block; those that are in none come as blocks too.
  ///
  /// - Parameters:
  ///   - from: ns since 1970: blocks without a call that started then or later are left out. Others may have some.
  ///   - to: the same for calls that started before.
  ///   - names: the name columns that are read.
  /// - Throws: `TapeError` `.catalogueStale` for a block that makes no sense.
  package func usageBlocks(
    from: Int64?, to: Int64?, names: Set<UsageRow.Name>, _ body: (UsageBlock) throws -> Void
  ) throws {
    // Blocks are long rows that are read once: of their pages none is worth keeping, and each that is kept is a page of
    // new memory.
    try database.execute(sql: "PRAGMA cache_size = 16")
    defer { try? database.execute(sql: "PRAGMA cache_size = -2000") }
    // The threads are read only if they are selected.
    let columns = names.contains(.thread) ? "data, threads" : "data, NULL"
    let statement = try database.cachedStatement(
      sql: "SELECT \(columns) FROM usage_blocks WHERE last_started_ns >= ? AND first_started_ns < ?")
    let rows = try Row.fetchCursor(statement, arguments: [from ?? Int64.min, to ?? Int64.max])
    var block = UsageBlock([])
    while let row = try rows.next() {
      let isRead = try row.withUnsafeData(atIndex: 0) { data in
        try row.withUnsafeData(atIndex: 1) { threads in Self.read(data, threads, names, into: &block) }
      }
      guard isRead else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a block of usage is damaged") }
      try body(block)
    }
    // A cross join, or all calls of the time are looked up by an index: loose ones are few.
    try usageBlocks(
      """
      SELECT \(UsageRow.columns) FROM usage_loose l CROSS JOIN calls c ON c.call_key = l.call_key
      WHERE c.started_ns >= ? AND c.started_ns < ?
      """, [.integer(from ?? Int64.min), .integer(to ?? Int64.max)], body)
  }

  private static func read(
    _ data: Data?, _ threads: Data?, _ names: Set<UsageRow.Name>, into block: inout UsageBlock
  ) -> Bool {
    guard let data else { return false }
    return data.withUnsafeBytes { data in
      guard let threads else { return block.read(data, threads: nil, names: names) }
      return threads.withUnsafeBytes { block.read(data, threads: $0, names: names) }
    }
  }

  /// The usage facts that a statement selects, as blocks.
  ///
  /// - Parameter sql: selects `UsageRow.columns`, and further names behind them.
  package func usageBlocks(_ sql: String, _ arguments: [SQLValue], _ body: (UsageBlock) throws -> Void) throws {
    var rows: [UsageRow] = []
    try query(sql, arguments) { row in
      rows.append(UsageRow(row))
      guard rows.count == CatalogueTransaction.usageBlockSize else { return }
      try body(UsageBlock(rows))
      rows.removeAll(keepingCapacity: true)
    }
    if !rows.isEmpty { try body(UsageBlock(rows)) }
  }
}
