internal import GRDB

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// Which calls a block of usage facts has, as far as an index says it.
package struct UsageBlockBounds: Sendable {
  let key: Int64
  /// ns since 1970, of the earliest call.
  package let firstStartedNs: Int
  /// ns since 1970, of the latest one.
  package let lastStartedNs: Int
}

extension CatalogueSnapshot {
  /// The blocks that may have calls of a time. Nothing of the calls is read.
  ///
  /// - Parameters:
  ///   - from: ns since 1970; calls that started then or later.
  ///   - to: the same for calls that started before.
  package func usageBlockBounds(from: Int64?, to: Int64?) throws -> [UsageBlockBounds] {
    let statement = try database.cachedStatement(
      sql: """
        SELECT first_key, first_started_ns, last_started_ns FROM usage_blocks INDEXED BY usage_blocks_by_start
        WHERE last_started_ns >= ? AND first_started_ns < ?
        """)
    return try Row.fetchAll(statement, arguments: [from ?? Int64.min, to ?? Int64.max]).map {
      UsageBlockBounds(key: $0[0], firstStartedNs: $0[1], lastStartedNs: $0[2])
    }
  }

  /// Reads a block, but for its threads, into the memory of another one.
  ///
  /// - Throws: `TapeError` `.catalogueStale` for one that makes no sense.
  package func read(_ bounds: UsageBlockBounds, names: Set<UsageRow.Name>, into block: inout UsageBlock) throws {
    let statement = try database.cachedStatement(sql: "SELECT data FROM usage_blocks WHERE first_key = ?")
    let rows = try Row.fetchCursor(statement, arguments: [bounds.key])
    let isRead = try rows.next()?.withUnsafeData(atIndex: 0) { data in
      data?.withUnsafeBytes { block.read($0, threads: nil, names: names) }
    }
    guard isRead == true else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a block of usage is damaged")
    }
  }
}
