package import TapeArchive
internal import TapeCatalogue
package import TapeJSON
internal import TapePricing
internal import TapeTypes

/// What `status` says of a store: its files, and what the catalogue knows of the calls in them.
package struct StoreStatus {
  private let store: Store
  /// The version of the prices; nil if they cannot be used.
  private let priceVersion: String?
  private let files: [ArchiveFile]
  /// nil if there is no catalogue that can be used.
  private let snapshot: CatalogueSnapshot?
  /// Why there is none.
  private var problem: TapeError?

  /// By the names of files.
  private let counts: [String: FileCounts.Counts]

  init(store: Store, files: [ArchiveFile], snapshot: CatalogueSnapshot?, counts: FileCounts) throws {
    self.counts = try snapshot.map(counts.counts) ?? [:]
    self.store = store
    priceVersion = try? StorePrices(store).table().version
    self.files = files
    self.snapshot = snapshot
  }

  /// The object of `status`, also of a store without a usable catalogue: then what only the catalogue knows is null,
  /// and `index.problem` says what to do.
  ///
  /// - Parameter counts: of who asks often.
  package static func json(of store: Store, counts: FileCounts = FileCounts()) throws -> JSONValue {
    do {
      return try QueryEngine(store: store).status(counts: counts)
    } catch let error as TapeError where error.code == .catalogueMissing || error.code == .catalogueStale {
      let files = try ArchiveReader(store: store).files()
      var status = try StoreStatus(store: store, files: files, snapshot: nil, counts: counts)
      status.problem = error
      return try status.json()
    }
  }

  func json() throws -> JSONValue {
    .object([
      .init("store", .string(store.path)),
      .init(
        "versions",
        .object([
          .init("store", .int(Store.version)), .init("catalogue", .int(Catalogue.version)),
          .init("prices", .string(priceVersion)),
        ])),
      .init("calls", try known(callCounts)), .init("archive", try archive()), .init("index", try index()),
      .init("defects", snapshot == nil ? .null : defectCounts), .init("gaps", try known(gapCounts)),
      .init("damage", try known(damage)),
    ])
  }

  private func known(_ body: (CatalogueSnapshot) throws -> JSONValue) throws -> JSONValue {
    try snapshot.map(body) ?? .null
  }

  private func callCounts(_ snapshot: CatalogueSnapshot) throws -> JSONValue {
    var counts: [String: Int] = [:]
    for file in self.counts.values {
      for (state, sum) in file.states { counts[state, default: 0] += sum.calls }
    }
    // Rows of erased calls are there where their usage was kept. A cross join, or all calls are looked at.
    let erased = "SELECT c.state, count(*) FROM erased e CROSS JOIN calls c USING (call_id) GROUP BY c.state"
    try snapshot.query(erased) { row in counts[row.text(0) ?? "", default: 0] -= row.integer(1) ?? 0 }
    var members: [JSONValue.Member] = [.init("total", .int(counts.values.reduce(0, +)))]
    members += CallState.allCases.map { .init($0.rawValue, .int(counts[$0.rawValue] ?? 0)) }
    let mocks = "SELECT count(*) FROM calls WHERE mock AND erased_ns IS NULL"
    members.append(.init("mock", .int(try snapshot.integer(mocks) ?? 0)))
    members.append(.init("erased", .int(try snapshot.integer("SELECT count(*) FROM erased") ?? 0)))
    return .object(members)
  }

  private func archive() throws -> JSONValue {
    func bytes(_ kind: ArchiveFile.Kind) -> Int { files.reduce(0) { $0 + ($1.kind == kind ? $1.bytes : 0) } }
    func count(_ kind: ArchiveFile.Kind) -> Int { files.count { $0.kind == kind } }
    let sealed = counts.filter { $0.key.hasPrefix("S-") }
    let unsealed = counts.reduce(0) { $0 + ($1.key.hasPrefix("S-") ? 0 : $1.value.calls) }
    func raw(_ counts: [String: FileCounts.Counts]) -> Int {
      counts.values.reduce(0) { $0 + $1.states.values.reduce(0) { $0 + $1.bytes } }
    }
    let writers = self.writers
    return .object([
      .init("bytes", .int(files.reduce(0) { $0 + $1.bytes })),
      .init("raw_bytes", .int(snapshot.map { _ in raw(counts) })),
      .init("ratio", Self.ratio(raw(sealed), bytes(.segment))), .init("journals", .int(count(.journal))),
      .init("journal_bytes", .int(bytes(.journal))), .init("segments", .int(count(.segment))),
      .init("segment_bytes", .int(bytes(.segment))), .init("torn", .int(count(.torn))),
      .init("unsealed_calls", .int(snapshot.map { _ in unsealed })),
      .init("writers_live", .int(writers.count { $0["live"] == .bool(true) })), .init("writers", .array(writers)),
      .init("files", .array(files.map(Self.file))),
    ])
  }

  /// Each process that recorded into the journals that are there, live or not, in the order of their start.
  private var writers: [JSONValue] {
    let journals = Dictionary(grouping: files.filter { $0.kind == .journal && $0.writer != nil }) { $0.writer }
    return journals.sorted { $0.value[0].name < $1.value[0].name }.map { writer, journals in
      .object([
        .init("writer", .string(writer?.description)), .init("live", .bool(journals.contains(where: \.isLive))),
        .init("journals", .int(journals.count)), .init("bytes", .int(journals.reduce(0) { $0 + $1.bytes })),
      ])
    }
  }

  private static func file(_ file: ArchiveFile) -> JSONValue {
    .object([
      .init("file", .string(file.name)), .init("kind", .string(file.kind.rawValue)), .init("bytes", .int(file.bytes)),
      .init("live", .bool(file.isLive)),
    ])
  }

  /// Response bytes for each byte of the segments that hold them, to two places; null without segments.
  private static func ratio(_ raw: Int, _ archived: Int) -> JSONValue {
    guard archived > 0, raw > 0 else { return .null }
    let hundredths = Int((Double(raw) / Double(archived) * 100).rounded())
    return .number("\(hundredths / 100).\(padded(hundredths % 100, 2))")
  }

  private func index() throws -> JSONValue {
    let lag = try Self.lag(files, snapshot)
    let holder = CatalogueLock.holder(path: store.path + "/" + Catalogue.lockName)
    let size = (try? store.files.status(store.cataloguePath))?.map { Int($0.bytes) }
    return .object([
      .init("bytes", .int(size ?? nil)), .init("lag_bytes", .int(lag.bytes)), .init("lag_files", .int(lag.files)),
      .init("indexer_process", .int(holder?.process)), .init("following", .bool(holder?.purpose == .follow)),
      .init("problem", .string(problem?.description)),
    ])
  }

  /// What of the archive is not in the catalogue.
  static func lag(_ files: [ArchiveFile], _ snapshot: CatalogueSnapshot?) throws -> (bytes: Int, files: Int) {
    let indexed = try snapshot.map(Self.indexed) ?? [:]
    var lag = (bytes: 0, files: 0)
    for file in files where file.kind == .journal || file.kind == .segment {
      let behind = file.bytes - (indexed[file.name] ?? 0)
      guard behind > 0 else { continue }
      lag.bytes += behind
      lag.files += 1
    }
    return lag
  }

  /// File name → bytes of it that are in the catalogue.
  static func indexed(_ snapshot: CatalogueSnapshot) throws -> [String: Int] {
    var indexed: [String: Int] = [:]
    try snapshot.query("SELECT file, indexed_bytes FROM sources") { indexed[$0.text(0) ?? ""] = $0.integer(1) }
    return indexed
  }

  /// Of each kind the calls that have it: one bad stream may have thousands.
  private var defectCounts: JSONValue {
    var kinds: [String: Int] = [:]
    for file in counts.values { kinds.merge(file.defects, uniquingKeysWith: +) }
    return .object(kinds.sorted { $0.key < $1.key }.map { .init($0.key, .int($0.value)) })
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
          .init("calls", QueryEngine.parsed(row.text(2)) ?? []), .init("message", .string(row.text(3))),
        ]))
    }
    // Also before an index met it.
    let known = Set(found.compactMap { $0["file"]?.string })
    for item in (try? store.archiveIntruders()) ?? [] where !known.contains(item.file) {
      found.append(
        .object([
          .init("file", .string(item.file)), .init("offset", .int(item.offset)), .init("calls", []),
          .init("message", .string(item.message)),
        ]))
    }
    return .array(found)
  }
}
