internal import GRDB
internal import GRDBSQLite
internal import TapeTypes

/// Says of a condition that somebody else wrote whether it may be asked of the catalogue: one expression over the
/// columns of `v_calls`, with subqueries on the documented views and nothing else, that calls no function which does
/// more than compute.
///
/// It is compiled against an empty database in memory, in which the views are tables and nothing else is there. So a
/// name means in it what it means in the catalogue, or does not exist; what SQLite brings along itself (its schema
/// table, pragmas as tables, loadable extensions) its authorizer keeps out.
package struct ConditionCheck {
  /// What is wrong; nil if nothing is.
  package let mistake: String?

  /// - Throws: what SQLite says where its empty database cannot be made.
  package init(_ condition: String) throws {
    mistake = try Self.mistake(condition)
  }

  private static func mistake(_ condition: String) throws -> String? {
    if condition.utf8.contains(0) { return "it has a NUL character" }
    if condition.allSatisfy(\.isWhitespace) { return "it is empty" }
    let views = try views()
    let names = views.map(\.name)
    let columns = views.first { $0.name == "v_calls" }?.columns ?? []
    let database = try MemoryDatabase(views)
    // What is an expression in both places cannot end the place that it stands in.
    for (before, after) in [("(", ")"), ("CASE WHEN", "THEN 1 END")] {
      let found = database.mistake(in: "SELECT 1 FROM v_calls WHERE \(before)\n\(condition)\n\(after)")
      guard let found else { continue }
      return explained(found, of: condition, names, columns)
    }
    return nil
  }

  /// The views of the catalogue and their columns.
  private static func views() throws -> [(name: String, columns: [String])] {
    try DatabaseQueue().inDatabase { database in
      try database.execute(sql: Catalogue.schema)
      let names = try String.fetchAll(database, sql: "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
      return try names.map { name in (name, try database.columns(in: name).map(\.name)) }
    }
  }

  private static func explained(
    _ mistake: MemoryDatabase.Mistake, of condition: String, _ views: [String], _ columns: [String]
  ) -> String {
    let only = "only the views may be read: \(views.joined(separator: ", "))"
    switch mistake {
    case .forbidden(let what): return "\(what) is not allowed; \(only)"
    case .parameter: return "it has a parameter (?, :name, @name or $name); write the value in its place"
    case .sqlite(let message):
      if let table = rest(of: message, after: "no such table: ") { return "\(table) cannot be read; \(only)" }
      if let column = rest(of: message, after: "no such column: ") {
        let name = String(column.split(separator: ".").last ?? "").filter { $0 != "\"" }
        let near = Spelling.nearest(to: String(name.prefix { $0 != " " }), among: columns)
        if near == nil, condition.contains("\"\(column)\"") {
          return message + "; texts stand between single quotes: '\(column)'"
        }
        return message + (near.map { "; did you mean \($0)?" } ?? "; schema/catalogue.sql has the columns of v_calls")
      }
      guard let word = nearWord(message)?.uppercased() else { return message }
      if word == ";" { return "\(message). Give one condition: no ; and no second statement" }
      // Some of them are names to SQLite where no statement can begin.
      let first = condition.drop { $0.isWhitespace || $0 == "(" }.prefix { $0.isLetter }.uppercased()
      guard let statement = [word, first].first(where: statements.contains) else { return message }
      return "\(message). Give only the condition, as it stands behind WHERE: \(statement) is not allowed"
    }
  }

  /// Words that begin a statement, or its next part.
  private static let statements: Set<String> = [
    "ALTER", "ANALYZE", "ATTACH", "BEGIN", "COMMIT", "CREATE", "DELETE", "DETACH", "DROP", "EXPLAIN", "GROUP", "HAVING",
    "INSERT", "INTO", "LIMIT", "ORDER", "PRAGMA", "REINDEX", "RELEASE", "REPLACE", "ROLLBACK", "SAVEPOINT", "SELECT",
    "UNION", "UPDATE", "VACUUM", "WHERE", "WITH",
  ]

  private static func rest(of message: String, after start: String) -> String? {
    message.hasPrefix(start) ? String(message.dropFirst(start.count)) : nil
  }

  /// X of `near "X": syntax error`.
  private static func nearWord(_ message: String) -> String? {
    guard message.hasPrefix("near \""), let end = message.dropFirst(6).lastIndex(of: "\"") else { return nil }
    return String(message[message.index(message.startIndex, offsetBy: 6)..<end])
  }
}

/// An empty database that has the views as tables.
private final class MemoryDatabase {
  enum Mistake {
    /// What the authorizer keeps out, in words.
    case forbidden(String)
    case parameter
    case sqlite(String)
  }

  private var handle: OpaquePointer?
  private var forbidden: String?
  private let tables: Set<String>

  init(_ views: [(name: String, columns: [String])]) throws {
    tables = Set(views.map { $0.name.lowercased() })
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY
    try check(sqlite3_open_v2(":memory:", &handle, flags, nil))
    // As the catalogue is asked: "x" is a name there, never a text.
    _disableDoubleQuotedStringLiterals(handle)
    // They are made when they are first named, which looks like making a table.
    try check(sqlite3_exec(handle, "SELECT 1 FROM json_each('1'), json_tree('1')", nil, nil, nil))
    for view in views {
      // A view has no rowid either.
      let columns = view.columns.map { "\"\($0)\"" }.joined(separator: ", ")
      let key = view.columns.first ?? ""
      let sql = "CREATE TABLE \"\(view.name)\" (\(columns), PRIMARY KEY (\"\(key)\")) WITHOUT ROWID"
      try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }
  }

  deinit { sqlite3_close_v2(handle) }

  private func check(_ code: CInt) throws {
    guard code != SQLITE_OK else { return }
    throw TapeError(.failed, "cannot check the condition of --where: \(message)")
  }

  private var message: String { sqlite3_errmsg(handle).map { String(cString: $0) } ?? "out of memory" }

  /// Compiles `sql` and runs nothing.
  func mistake(in sql: String) -> Mistake? {
    forbidden = nil
    sqlite3_set_authorizer(
      handle,
      { context, action, first, second, _, _ in
        guard let context else { return SQLITE_DENY }
        return Unmanaged<MemoryDatabase>.fromOpaque(context).takeUnretainedValue().authorize(action, first, second)
      }, Unmanaged.passUnretained(self).toOpaque())
    defer { sqlite3_set_authorizer(handle, nil, nil) }
    var statement: OpaquePointer?
    let code = sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
    defer { sqlite3_finalize(statement) }
    if let forbidden { return .forbidden(forbidden) }
    guard code == SQLITE_OK else { return .sqlite(message) }
    return sqlite3_bind_parameter_count(statement) > 0 ? .parameter : nil
  }

  private func authorize(_ action: CInt, _ first: UnsafePointer<CChar>?, _ second: UnsafePointer<CChar>?) -> CInt {
    let name = (first.map { String(cString: $0) } ?? "").lowercased()
    switch action {
    case SQLITE_SELECT: return SQLITE_OK
    case SQLITE_READ:
      if tables.contains(name) || Self.functionsAsTables.contains(name) { return SQLITE_OK }
      // Counting the rows of a name that WITH gives; all other tables have to be made first, which is not allowed either.
      if second?.pointee == 0, !name.hasPrefix("sqlite_"), !name.hasPrefix("pragma_") { return SQLITE_OK }
      return deny("reading \(name)")
    case SQLITE_FUNCTION:
      let function = (second.map { String(cString: $0) } ?? "").lowercased()
      return Self.functions.contains(function) ? SQLITE_OK : deny("the function \(function)()")
    case SQLITE_RECURSIVE: return deny("a recursive query")
    default: return deny("anything but reading")
    }
  }

  private func deny(_ what: String) -> CInt {
    forbidden = forbidden ?? what
    return SQLITE_DENY
  }

  private static let functionsAsTables: Set<String> = ["json_each", "json_tree"]

  /// Those that compute, and make no more than they are given.
  private static let functions: Set<String> = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "ceil", "ceiling", "char", "coalesce",
    "concat", "concat_ws", "cos", "cosh", "count", "cume_dist", "date", "datetime", "degrees", "dense_rank", "exp",
    "first_value", "floor", "format", "glob", "group_concat", "hex", "if", "ifnull", "iif", "instr", "json",
    "json_array", "json_array_length", "json_error_position", "json_extract", "json_group_array", "json_group_object",
    "json_insert", "json_object", "json_patch", "json_quote", "json_remove", "json_replace", "json_set", "json_type",
    "json_valid", "julianday", "lag", "last_value", "lead", "length", "like", "likelihood", "likely", "ln", "log",
    "log10", "log2", "lower", "ltrim", "max", "median", "min", "mod", "nth_value", "ntile", "nullif", "octet_length",
    "percent_rank", "percentile", "percentile_cont", "percentile_disc", "pi", "pow", "power", "printf", "quote",
    "radians", "rank", "replace", "round", "row_number", "rtrim", "sign", "sin", "sinh", "sqrt", "strftime",
    "string_agg", "substr", "substring", "sum", "tan", "tanh", "time", "timediff", "total", "trim", "trunc", "typeof",
    "unhex", "unicode", "unistr", "unixepoch", "unlikely", "upper", "->", "->>",
  ]
}
