internal import Synchronization
internal import TapeCatalogue

/// How many calls each file of the archive has, by how they ended, and with which defects. Who asks often keeps one of
/// these: calls of a segment are counted once, and again only when the segment was written anew.
package final class FileCounts: Sendable {
  /// Of one file.
  struct Counts: Sendable {
    var states: [String: (calls: Int, bytes: Int)] = [:]
    /// Calls that have a defect of a kind.
    var defects: [String: Int] = [:]

    var calls: Int { states.values.reduce(0) { $0 + $1.calls } }
  }

  /// What the catalogue knows of a file; another one when its calls may be others.
  private struct Stamp: Equatable, Sendable {
    var bytes: Int
    var modifiedNs: Int
    /// Erasing reaches into files.
    var erased: Int
  }

  private let known = Mutex<[String: (stamp: Stamp, counts: Counts)]>([:])

  package init() {}

  /// By the names of files.
  func counts(in snapshot: CatalogueSnapshot) throws -> [String: Counts] {
    let stamps = try Self.stamps(of: snapshot)
    var counts = known.withLock { known in
      known.filter { stamps[$0.key] == $0.value.stamp }.mapValues(\.counts)
    }
    var missing: [String] = []
    for file in try Self.files(of: snapshot) where counts[file] == nil {
      missing.append(file)
      counts[file] = try Self.states(of: file, snapshot)
    }
    try Self.addDefects(of: missing, to: &counts, snapshot)
    let result = counts
    known.withLock { known in
      known = result.reduce(into: [:]) { known, entry in
        if let stamp = stamps[entry.key] { known[entry.key] = (stamp, entry.value) }
      }
    }
    return result
  }

  /// Of segments alone: a call of a journal goes on in the next one.
  private static func stamps(of snapshot: CatalogueSnapshot) throws -> [String: Stamp] {
    let erased = try snapshot.integer("SELECT count(*) FROM erased") ?? 0
    var stamps: [String: Stamp] = [:]
    try snapshot.query("SELECT file, indexed_bytes, modified_ns FROM sources WHERE kind = 'segment'") { row in
      stamps[row.text(0) ?? ""] = Stamp(bytes: row.integer(1) ?? 0, modifiedNs: row.integer(2) ?? 0, erased: erased)
    }
    return stamps
  }

  /// The files that calls lie in: one step in an index for each.
  private static func files(of snapshot: CatalogueSnapshot) throws -> [String] {
    let sql = """
      WITH RECURSIVE files (file) AS (
        SELECT min(archive_file) FROM calls
        UNION ALL SELECT (SELECT min(archive_file) FROM calls WHERE archive_file > file) FROM files WHERE file IS NOT NULL)
      SELECT file FROM files WHERE file IS NOT NULL
      """
    var files: [String] = []
    try snapshot.query(sql) { row in if let file = row.text(0) { files.append(file) } }
    return files
  }

  private static func states(of file: String, _ snapshot: CatalogueSnapshot) throws -> Counts {
    var counts = Counts()
    // An index has all of it: no row is read.
    let sql = "SELECT state, count(*), sum(bytes) FROM calls WHERE archive_file = ? GROUP BY state"
    try snapshot.query(sql, [.text(file)]) { row in
      counts.states[row.text(0) ?? ""] = (row.integer(1) ?? 0, row.integer(2) ?? 0)
    }
    return counts
  }

  /// By the calls of these files, or by all calls that have defects, whichever are fewer.
  private static func addDefects(
    of files: [String], to counts: inout [String: Counts], _ snapshot: CatalogueSnapshot
  ) throws {
    func select(_ index: String, _ condition: String) -> String {
      """
      SELECT c.archive_file, d.value ->> '$.kind', count(DISTINCT c.call_key)
      FROM calls c INDEXED BY \(index), json_each(c.defects) d WHERE c.defect_count > 0\(condition) GROUP BY 1, 2
      """
    }
    let wanted = Set(files)
    func add(_ row: SQLRow) {
      guard let file = row.text(0), wanted.contains(file) else { return }
      counts[file]?.defects[row.text(1) ?? ""] = row.integer(2) ?? 0
    }
    let inFiles = files.reduce(0) { $0 + (counts[$1]?.calls ?? 0) }
    if inFiles > (try snapshot.integer("SELECT count(*) FROM calls WHERE defect_count > 0") ?? 0) {
      try snapshot.query(select("calls_with_defects", ""), [], add)
    } else {
      for file in files {
        try snapshot.query(select("calls_by_file", " AND c.archive_file = ?"), [.text(file)], add)
      }
    }
  }
}
