internal import TapeArchive
internal import TapeCatalogue
package import TapeJSON
internal import TapePricing
internal import TapeTypes

extension QueryEngine {
  /// The object of `status`.
  package func status() throws -> JSONValue {
    let files = try archive.files()
    return try catalogue.snapshot { snapshot in
      .object([
        .init("store", .string(store.path)),
        .init(
          "versions",
          .object([
            .init("catalogue", .int(Catalogue.version)), .init("prices", .string(prices.version)),
          ])),
        .init("calls", try callCounts(snapshot)), .init("archive", try archiveSizes(files, snapshot)),
        .init("index", try indexLag(files, snapshot)), .init("defects", try defectCounts(snapshot)),
        .init("gaps", try gapCounts(snapshot)), .init("damage", try damage(snapshot)),
      ])
    }
  }

  /// True when the archive has bytes that are not in the catalogue and nobody is indexing them.
  package var isStale: Bool {
    guard let files = try? archive.files() else { return false }
    let lag = try? catalogue.snapshot { try Self.lag(files, $0) }
    guard let lag, lag.bytes > 0 || lag.files > 0 else { return false }
    return CatalogueLock.holder(path: lockPath) == nil
  }

  private var lockPath: String { store.path + "/" + Catalogue.lockName }

  private func callCounts(_ snapshot: CatalogueSnapshot) throws -> JSONValue {
    var counts: [String: Int] = [:]
    try snapshot.query("SELECT state, count(*) FROM calls GROUP BY state") { row in
      counts[row.text(0) ?? ""] = row.integer(1)
    }
    var members: [JSONValue.Member] = [.init("total", .int(counts.values.reduce(0, +)))]
    members += CallState.allCases.map { .init($0.rawValue, .int(counts[$0.rawValue] ?? 0)) }
    members.append(.init("mock", .int(try snapshot.integer("SELECT count(*) FROM calls WHERE mock") ?? 0)))
    return .object(members)
  }

  private func archiveSizes(_ files: [ArchiveFile], _ snapshot: CatalogueSnapshot) throws -> JSONValue {
    func bytes(_ kind: ArchiveFile.Kind) -> Int { files.reduce(0) { $0 + ($1.kind == kind ? $1.bytes : 0) } }
    func count(_ kind: ArchiveFile.Kind) -> Int { files.count { $0.kind == kind } }
    let raw = "SELECT coalesce(sum(bytes), 0) FROM calls"
    let rawBytes = try snapshot.integer(raw) ?? 0
    let sealedRaw = try snapshot.integer(raw + " WHERE archive_file LIKE 'S-%'") ?? 0
    let unsealed = "SELECT count(*) FROM calls WHERE archive_file NOT LIKE 'S-%'"
    let liveWriters = Set(files.filter { $0.kind == .journal && $0.isLive }.map { $0.writer?.description ?? $0.name })
    return .object([
      .init("bytes", .int(files.reduce(0) { $0 + $1.bytes })), .init("raw_bytes", .int(rawBytes)),
      .init("ratio", Self.ratio(sealedRaw, bytes(.segment))), .init("journals", .int(count(.journal))),
      .init("journal_bytes", .int(bytes(.journal))), .init("segments", .int(count(.segment))),
      .init("segment_bytes", .int(bytes(.segment))), .init("torn", .int(count(.torn))),
      .init("unsealed_calls", .int(try snapshot.integer(unsealed) ?? 0)),
      .init("writers_live", .int(liveWriters.count)),
      .init(
        "files",
        .array(
          files.map { file in
            .object([
              .init("file", .string(file.name)), .init("kind", .string(file.kind.rawValue)),
              .init("bytes", .int(file.bytes)), .init("live", .bool(file.isLive)),
            ])
          })),
    ])
  }

  /// Response bytes for each byte of the segments that hold them, to two places; null without segments.
  private static func ratio(_ raw: Int, _ archived: Int) -> JSONValue {
    guard archived > 0, raw > 0 else { return .null }
    let hundredths = Int((Double(raw) / Double(archived) * 100).rounded())
    return .number("\(hundredths / 100).\(padded(hundredths % 100, 2))")
  }

  private func indexLag(_ files: [ArchiveFile], _ snapshot: CatalogueSnapshot) throws -> JSONValue {
    let lag = try Self.lag(files, snapshot)
    let holder = CatalogueLock.holder(path: lockPath)
    return .object([
      .init("lag_bytes", .int(lag.bytes)), .init("lag_files", .int(lag.files)),
      .init("indexer_process", .int(holder?.process)), .init("following", .bool(holder?.purpose == .follow)),
    ])
  }

  /// What of the archive is not in the catalogue.
  private static func lag(_ files: [ArchiveFile], _ snapshot: CatalogueSnapshot) throws -> (bytes: Int, files: Int) {
    var indexed: [String: Int] = [:]
    try snapshot.query("SELECT file, indexed_bytes FROM sources") { indexed[$0.text(0) ?? ""] = $0.integer(1) }
    var lag = (bytes: 0, files: 0)
    for file in files where file.kind == .journal || file.kind == .segment {
      let behind = file.bytes - (indexed[file.name] ?? 0)
      if behind > 0 {
        lag.bytes += behind
        lag.files += 1
      }
    }
    return lag
  }

  private func defectCounts(_ snapshot: CatalogueSnapshot) throws -> JSONValue {
    var members: [JSONValue.Member] = []
    try snapshot.query("SELECT kind, count(*) FROM v_defects GROUP BY kind ORDER BY kind") { row in
      members.append(.init(row.text(0) ?? "", .int(row.integer(1))))
    }
    return .object(members)
  }

  private func gapCounts(_ snapshot: CatalogueSnapshot) throws -> JSONValue {
    var gaps = JSONValue.null
    let sql = "SELECT count(*), coalesce(sum(gap_frames), 0), coalesce(sum(gap_bytes), 0) FROM v_gaps"
    try snapshot.query(sql) { row in
      gaps = .object([
        .init("calls", .int(row.integer(0))), .init("frames", .int(row.integer(1))),
        .init("bytes", .int(row.integer(2))),
      ])
    }
    return gaps
  }

  private func damage(_ snapshot: CatalogueSnapshot) throws -> JSONValue {
    var found: [JSONValue] = []
    try snapshot.query("SELECT file, offset, calls, message FROM damage ORDER BY file, offset, message") { row in
      found.append(
        .object([
          .init("file", .string(row.text(0))), .init("offset", .int(row.integer(1))),
          .init("calls", Self.parsed(row.text(2)) ?? []), .init("message", .string(row.text(3))),
        ]))
    }
    return .array(found)
  }
}
