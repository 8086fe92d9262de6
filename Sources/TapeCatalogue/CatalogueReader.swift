internal import GRDB
internal import Synchronization
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A read-only connection to a catalogue; writers go on beside it. One statement at a time, from any thread. When the
/// file was deleted and made again, the new one is read from then on.
package final class CatalogueReader: Sendable {
  package let path: String
  private let connection: Mutex<Connection>

  private struct Connection: Sendable {
    var queue: DatabaseQueue
    var file: FileIdentity?
    /// It is right only until somebody writes.
    var isAsItLies: Bool
  }

  /// - Throws: `TapeError` `.catalogueMissing` or, for a damaged one or one of another version, `.catalogueStale`;
  ///   both name the command that helps.
  package init(path: String) throws {
    self.path = path
    connection = Mutex(try Self.connect(path))
  }

  /// A catalogue that is being made at this moment is waited for, up to a second.
  private static func connect(_ path: String) throws -> Connection {
    for _ in 0..<10 {
      do {
        return try connectNow(path)
      } catch let error as TapeError where error.code == .catalogueStale {
        // It may have been finished since.
        guard isBlank(path) else { break }
        usleep(100_000)
      }
    }
    return try connectNow(path)
  }

  private static func connectNow(_ path: String) throws -> Connection {
    guard let file = FileIdentity(path: path) else { throw TapeError.catalogueMissing(at: path) }
    guard file.isRegular else { throw TapeError.catalogueIsNoFile(at: path) }
    do {
      let queue = try open(path)
      let (application, version) = try queue.read { database in
        (
          try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0,
          try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        )
      }
      guard application == Catalogue.applicationID else {
        throw TapeError.catalogueStale(at: path, because: "it is not a finished tapedeck catalogue")
      }
      guard version == Catalogue.version else {
        throw TapeError.catalogueStale(
          at: path, because: "it has version \(version), this program reads version \(Catalogue.version)")
      }
      return Connection(queue: queue, file: file, isAsItLies: queue.path.hasPrefix("file:"))
    } catch {
      throw TapeError.catalogue(error, doing: "open", at: path)
    }
  }

  /// True for a database without any content, as it is for a moment when it is made.
  private static func isBlank(_ path: String) -> Bool {
    let objects = try? open(path).read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
    return objects == 0
  }

  /// The connection to the file that is there now.
  private func current() throws -> DatabaseQueue {
    try connection.withLock { connection in
      let isOver = connection.isAsItLies && !Self.hasEmptyLog(path)
      if let now = FileIdentity(path: path), now != connection.file || isOver { connection = try Self.connect(path) }
      return connection.queue
    }
  }

  /// Runs one SELECT and hands over its rows. For several that must see the same state use `snapshot`.
  package func query(_ sql: String, _ arguments: [SQLValue] = [], _ body: (SQLRow) throws -> Void) throws {
    try snapshot { try $0.query(sql, arguments, body) }
  }

  /// All that `body` asks sees one state of the catalogue, whatever the indexer does meanwhile.
  ///
  /// - Parameter steps: how many steps of SQLite's machine may go by without a row; nil for any number.
  /// - Throws: `TapeError` `.failed` when there were more.
  package func snapshot<Result>(steps: Int? = nil, _ body: (CatalogueSnapshot) throws -> Result) throws -> Result {
    do {
      return try current().read { database in
        guard let steps else { return try body(CatalogueSnapshot(database: database)) }
        let limit = StepLimit(steps)
        return try limit.watch(database) { try body(CatalogueSnapshot(database: database, limit: limit)) }
      }
    } catch {
      throw TapeError.catalogue(error, doing: "read", at: path)
    }
  }

  private static func open(_ path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    configuration.label = "catalogue.read"
    do {
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      _ = try queue.read { try Int.fetchOne($0, sql: "PRAGMA schema_version") }
      return queue
    } catch let error as DatabaseError
      where [.SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_IOERR].contains(error.resultCode.primaryResultCode)
    {
      // A WAL database wants its -shm file even for reading. On a read-only medium nobody writes either, and where the
      // disk is too full for that file nobody has: so it may be read as it lies, as long as nothing is in its log.
      let isFull = error.resultCode.primaryResultCode == .SQLITE_IOERR
      guard isFull || access(directory(of: path), W_OK) != 0, hasEmptyLog(path) else { throw error }
      return try DatabaseQueue(path: "file:\(escaped(path))?immutable=1", configuration: configuration)
    }
  }

  private static func hasEmptyLog(_ path: String) -> Bool {
    var status = stat()
    return stat(path + "-wal", &status) != 0 || status.st_size == 0
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The path as part of a file: URI.
  private static func escaped(_ path: String) -> String {
    path.utf8.reduce(into: "") { result, byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F, 0x7E:
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
  }
}

/// One state of a catalogue. Valid only inside the closure that got it.
package struct CatalogueSnapshot {
  let database: Database
  var limit: StepLimit?

  package func query(_ sql: String, _ arguments: [SQLValue] = [], _ body: (SQLRow) throws -> Void) throws {
    let statement = try database.cachedStatement(sql: sql)
    let rows = try Row.fetchCursor(statement, arguments: arguments.arguments)
    while let row = try rows.next() {
      limit?.restart()
      try body(SQLRow(row: row))
    }
  }

  /// The first column of the first row; nil for none and for NULL.
  package func integer(_ sql: String, _ arguments: [SQLValue] = []) throws -> Int? {
    var value: Int?
    try query(sql, arguments) { if value == nil { value = $0.integer(0) } }
    return value
  }
}
