internal import GRDB
internal import GRDBSQLite
internal import TapeTypes

/// Ends a statement that goes on without finding anything, and one that makes a text of hundreds of megabytes: no
/// condition may keep a machine busy for ever. For one thread.
final class StepLimit {
  private static let batch = 10_000
  /// Of a text, in bytes.
  private static let longest: CInt = 1 << 27

  private let steps: Int
  private var left: Int
  private var isOver = false

  init(_ steps: Int) {
    self.steps = steps
    left = steps
  }

  /// A row was found.
  func restart() { left = steps }

  /// Runs `body` with the limit on what it asks of `database`.
  ///
  /// - Throws: `TapeError` `.failed` where it was met.
  func watch<Result>(_ database: Database, _ body: () throws -> Result) throws -> Result {
    let handle = database.sqliteConnection
    sqlite3_progress_handler(
      handle, CInt(Self.batch),
      { context in
        guard let context else { return 0 }
        return Unmanaged<StepLimit>.fromOpaque(context).takeUnretainedValue().isMet ? 1 : 0
      }, Unmanaged.passUnretained(self).toOpaque())
    let length = sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Self.longest)
    defer {
      sqlite3_progress_handler(handle, 0, nil, nil)
      sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, length)
    }
    do {
      return try body()
    } catch  where isOver {
      throw TapeError(
        .failed,
        "gave up on --where: it took \(steps / 1_000_000) million steps without finding a call. Give other filters "
          + "beside it, such as --from, or a condition that looks at fewer rows")
    } catch let error as DatabaseError where Self.isOfCondition(error) {
      throw TapeError(
        .usage,
        "--where cannot be told of every call: \(error.message ?? "\(error.resultCode)"). What only some calls "
          + "allow goes behind a check, such as json_valid(x) AND …")
    }
  }

  /// What the condition makes of the values of a call; all else was checked before.
  private static func isOfCondition(_ error: DatabaseError) -> Bool {
    guard [.SQLITE_ERROR, .SQLITE_TOOBIG, .SQLITE_MISMATCH].contains(error.resultCode) else { return false }
    return error.message?.hasPrefix("no such ") != true
  }

  private var isMet: Bool {
    left -= Self.batch
    if left < 0 { isOver = true }
    return isOver
  }
}
