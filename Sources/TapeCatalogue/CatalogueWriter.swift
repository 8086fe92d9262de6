internal import GRDB
internal import TapeTypes

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The writing side of a catalogue. Whoever makes one holds the `CatalogueLock`.
package final class CatalogueWriter {
  /// Where the database is.
  package let path: String
  private let queue: DatabaseQueue
  private let file: FileIdentity?
  /// What makes the indexes of a scratch catalogue, once all rows are there.
  private var laterIndexes: [String] = []

  /// Opens the catalogue, making it where there is none (mode 0600).
  ///
  /// - Parameter scratch: a file that nobody reads yet and that may be lost: faster.
  /// - Throws: `TapeError` `.catalogueStale` for another version or a damaged file.
  package init(path: String, scratch: Bool = false) throws {
    self.path = path
    do {
      try Self.makeFile(path)
      if FileIdentity(path: path)?.isRegular == false { throw TapeError.catalogueIsNoFile(at: path) }
      queue = try DatabaseQueue(path: path, configuration: Self.configuration(scratch: scratch))
      file = FileIdentity(path: path)
      try prepare()
      if scratch { laterIndexes = try queue.writeWithoutTransaction { try Self.prepareBulk($0) } }
    } catch {
      throw TapeError.catalogue(error, doing: "write", at: path)
    }
  }

  /// False when the file was deleted or replaced: what is written then reaches nobody.
  package var isInPlace: Bool { FileIdentity(path: path) == file }

  /// All that `body` does takes effect together, or nothing of it.
  package func transaction<Result>(_ body: (CatalogueTransaction) throws -> Result) throws -> Result {
    do {
      return try queue.write { try body(CatalogueTransaction(database: $0)) }
    } catch {
      throw TapeError.catalogue(error, doing: "write", at: path)
    }
  }

  /// Runs one statement outside of a transaction: for tests and PRAGMAs.
  package func execute(_ sql: String) throws { try queue.writeWithoutTransaction { try $0.execute(sql: sql) } }

  /// Puts what is here into the catalogue at `target`, as one change: readers see the old state or the new one,
  /// also those that are connected. A target that is no usable database is replaced.
  package func install(at target: String) throws {
    do {
      try queue.write { database in
        for statement in laterIndexes { try database.execute(sql: statement) }
        try Self.setFullTextMemory(Self.usualFullTextMemory, database)
      }
      laterIndexes = []
      try copy(to: target)
    } catch let error as DatabaseError
      where [.SQLITE_NOTADB, .SQLITE_CORRUPT].contains(error.resultCode.primaryResultCode)
    {
      // Nobody can read what is there, so there is nobody to disturb.
      for suffix in ["-wal", "-shm", ""] { unlink(target + suffix) }
      do { try copy(to: target) } catch { throw TapeError.catalogue(error, doing: "write", at: target) }
    } catch {
      throw TapeError.catalogue(error, doing: "write", at: target)
    }
  }

  /// Leaves nothing in the file of rows that were removed: full text forgets the words, free pages go, and so does the
  /// log of changes.
  ///
  /// - Returns: false if a reader still holds the log of changes: then the old text is in there until it ends.
  package func scrub() throws -> Bool {
    do {
      return try queue.writeWithoutTransaction { database in
        // A contentless index keeps the words of deleted rows until all of it is written anew.
        try database.execute(sql: "INSERT INTO call_fts (call_fts) VALUES ('optimize')")
        try database.execute(sql: "VACUUM")
        return try Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)").map { $0[0] == 0 } ?? false
      }
    } catch {
      throw TapeError.catalogue(error, doing: "clean", at: path)
    }
  }

  /// Closes the database; after the last connection has closed, its WAL file is gone.
  package func close() throws { try queue.close() }

  private func copy(to target: String) throws {
    try Self.makeFile(target)
    let destination = try DatabaseQueue(path: target, configuration: Self.configuration(scratch: false))
    try queue.backup(to: destination)
    // Nothing of the old content shall stay in the WAL; a reader that still needs it is not waited for.
    try? destination.writeWithoutTransaction { database in
      try database.execute(sql: "PRAGMA busy_timeout = 100")
      _ = try database.checkpoint(.truncate)
    }
    try destination.close()
  }

  private static func configuration(scratch: Bool) -> Configuration {
    var configuration = Configuration()
    configuration.label = "catalogue.write"
    configuration.busyMode = .timeout(10)
    // What belongs to a call is written and removed with it here; nobody else writes.
    configuration.foreignKeysEnabled = false
    if !scratch { configuration.journalMode = .wal }
    configuration.prepareDatabase { database in
      // Erasure must not leave text in freed pages.
      try database.execute(sql: "PRAGMA secure_delete = ON")
      try database.execute(sql: scratch ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = NORMAL")
      if scratch { try database.execute(sql: "PRAGMA journal_mode = MEMORY") }
      try database.execute(sql: "PRAGMA cache_size = -32768")
    }
    return configuration
  }

  /// Takes the indexes away, which cost less when they are made at the end, each in order, and gives full text more
  /// memory, so that it has less to merge. Returns what makes the indexes again.
  private static func prepareBulk(_ database: Database) throws -> [String] {
    let indexes = try Row.fetchAll(
      database, sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    for index in indexes { try database.execute(sql: "DROP INDEX \(index[0] as String)") }
    try setFullTextMemory(bulkFullTextMemory, database)
    return indexes.map { $0[1] }
  }

  /// Bytes of words that FTS5 collects before it writes them; 1 MiB is its own choice.
  private static let usualFullTextMemory = 1 << 20
  private static let bulkFullTextMemory = 32 << 20

  private static func setFullTextMemory(_ bytes: Int, _ database: Database) throws {
    try database.execute(sql: "INSERT INTO call_fts (call_fts, rank) VALUES ('hashsize', \(bytes))")
  }

  /// SQLite gives its side files the mode of the database, so the database is made with the right one.
  private static func makeFile(_ path: String) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      throw TapeError(
        errno == EROFS || errno == EACCES ? .readOnly : .io, "cannot write the catalogue \(path): \(reason)")
    }
    closeDescriptor(descriptor)
  }

  private func prepare() throws {
    try queue.writeWithoutTransaction { database in
      let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      if application == 0, version == 0,
        try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
      {
        try database.inTransaction(.immediate) {
          try database.execute(sql: Catalogue.schema)
          return .commit
        }
        return
      }
      guard application == Catalogue.applicationID else {
        throw TapeError.catalogueStale(at: path, because: "it is not a tapedeck catalogue")
      }
      guard version == Catalogue.version else {
        throw TapeError.catalogueStale(
          at: path, because: "it has version \(version), this program writes version \(Catalogue.version)")
      }
    }
  }
}

/// close(2), which `CatalogueWriter.close` hides.
private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
