internal import TapeCatalogue
package import TapeTypes

extension QueryEngine {
  /// The calls that the catalogue has of chosen files of the archive.
  ///
  /// - Parameter isWanted: gets the name of each file once.
  package func callsByFile(_ isWanted: (String) -> Bool) throws -> [(file: String, calls: [CallID])] {
    var files: [String] = []
    try catalogue.query("SELECT DISTINCT archive_file FROM calls ORDER BY archive_file") { row in
      if let file = row.text(0), isWanted(file) { files.append(file) }
    }
    return try files.map { file in
      var calls: [CallID] = []
      let sql = "SELECT call_id FROM calls WHERE archive_file = ? ORDER BY started_ns, call_id"
      try catalogue.query(sql, [.text(file)]) { row in
        if let id = row.text(0).flatMap({ CallID($0) }) { calls.append(id) }
      }
      return (file, calls)
    }
  }
}
