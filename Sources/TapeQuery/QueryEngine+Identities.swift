internal import TapeArchive
internal import TapeCatalogue
package import TapeJSON

extension QueryEngine {
  /// What the calls of an identity say of it: `identity_id, display_name, email, tags, first_seen, last_seen`, as
  /// `v_identities` has it. Names are those of the latest call that gave one.
  package func identity(_ id: String) throws -> JSONValue {
    try catalogue.snapshot { snapshot in
      func latest(_ column: String) throws -> String? {
        var text: String?
        let sql = """
          SELECT \(column) FROM calls WHERE identity_id = ? AND \(column) IS NOT NULL
          ORDER BY started_ns DESC, call_key DESC LIMIT 1
          """
        try snapshot.query(sql, [.text(id)]) { text = $0.text(0) }
        return text
      }
      var seen: (first: Int64?, last: Int64?) = (nil, nil)
      // Each by itself is one step in an index.
      let sql = """
        SELECT (SELECT min(started_ns) FROM calls WHERE identity_id = ?1),
          (SELECT max(started_ns) FROM calls WHERE identity_id = ?1)
        """
      try snapshot.query(sql, [.text(id)]) { row in
        seen = (row.integer(0).map(Int64.init), row.integer(1).map(Int64.init))
      }
      return .object([
        .init("identity_id", .string(id)), .init("display_name", .string(try latest("identity_name"))),
        .init("email", .string(try latest("identity_email"))),
        .init("tags", Self.parsed(try latest("identity_tags")) ?? []),
        .init("first_seen", .string(seen.first.map(RFC3339.string))),
        .init("last_seen", .string(seen.last.map(RFC3339.string))),
      ])
    }
  }
}
