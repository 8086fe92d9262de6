internal import TapeArchive
internal import TapeCatalogue
package import TapeJSON
internal import TapePricing
internal import TapeTypes

extension QueryEngine {
  /// The objects of `calls`, from the catalogue alone.
  package func calls(_ filter: CallFilter, sort: CallSort = .newest, limit: Int? = nil) throws -> [JSONValue] {
    var objects: [JSONValue] = []
    try forEachCall(filter, sort: sort, limit: limit) { objects.append($0) }
    return objects
  }

  /// The same one by one, in bounded memory: which calls come next is asked for page by page, and nothing of the
  /// catalogue is held while `body` has one, so that a slow reader keeps nobody from cleaning it up.
  ///
  /// - Parameter after: only those behind this call in the order of `sort`.
  package func forEachCall(
    _ filter: CallFilter, sort: CallSort = .newest, after: CallEntry? = nil, limit: Int? = nil,
    _ body: (JSONValue) throws -> Void
  ) throws {
    let prices = try prices
    try forEachKey(filter, sort, after: after, limit) { keys in
      for row in try rows(keys) { try body(json(row, prices)) }
    }
  }

  /// The objects of the calls right before a call in the order of `sort`, in that order.
  package func calls(
    _ filter: CallFilter, sort: CallSort, before entry: CallEntry, limit: Int
  ) throws -> [JSONValue] {
    let prices = try prices
    let place = try place(of: entry, sort)
    var keys: [Int64] = []
    try select("c.call_key", filter, CallOrder(sort, backwards: true), after: place, limit) { row in
      if let key = row.integer(0) { keys.append(Int64(key)) }
    }
    return try rows(keys.reversed()[...]).map { json($0, prices) }
  }

  /// The keys of calls in the order of `sort`, some hundred at a time.
  func forEachKey(
    _ filter: CallFilter, _ sort: CallSort, after: CallEntry?, _ limit: Int?,
    _ body: (ArraySlice<Int64>) throws -> Void
  ) throws {
    var place = try after.map { try self.place(of: $0, sort) }
    var left = limit ?? .max
    var size = min(Self.rowsAtOnce, left)
    while left > 0 {
      var keys: [Int64] = []
      try select(CallPlace.columns(sort), filter, CallOrder(sort), after: place, min(size, left)) { row in
        guard let next = CallPlace(row) else { return }
        keys.append(Int64(next.key))
        place = next
      }
      for start in stride(from: 0, to: keys.count, by: Self.rowsAtOnce) {
        try body(keys[start..<min(start + Self.rowsAtOnce, keys.count)])
      }
      if keys.count < min(size, left) { return }
      left -= keys.count
      // What is not in the order of an index is sorted anew for each page, so that there should be few.
      size = sort.column == nil ? min(size * 4, Self.mostKeys) : Self.mostKeys * 16
    }
  }

  private static var rowsAtOnce: Int { 256 }
  /// Half a megabyte of them.
  private static var mostKeys: Int { 1 << 16 }

  /// Those of the calls that are there still.
  func rows(_ keys: ArraySlice<Int64>) throws -> [CallRow] {
    var rows: [CallRow] = []
    let sql = "SELECT \(CallRow.selection("c")) FROM calls c WHERE c.call_key = ? AND c.erased_ns IS NULL"
    try catalogue.snapshot { snapshot in
      for key in keys { try snapshot.query(sql, [.integer(key)]) { rows.append(CallRow($0)) } }
    }
    return rows
  }

  /// - Throws: `TapeError` `.notFound` for a call that is not in the catalogue yet.
  func place(of entry: CallEntry, _ sort: CallSort) throws -> CallPlace {
    var place: CallPlace?
    let sql = "SELECT \(CallPlace.columns(sort)) FROM calls c WHERE c.call_id = ?"
    try catalogue.query(sql, [.text(entry.id.description)]) { place = CallPlace($0) }
    guard let place else {
      throw TapeError(.notFound, "call \(entry.id) is not in the catalogue yet: run tapedeck index")
    }
    return place
  }

  /// The object of `calls` for one call; nil if the catalogue does not have it yet.
  package func call(_ entry: CallEntry) throws -> JSONValue? {
    var object: JSONValue?
    let sql = "SELECT \(CallRow.selection("c")) FROM calls c WHERE c.call_id = ?"
    let prices = try prices
    try catalogue.query(sql, [.text(entry.id.description)]) { object = json(CallRow($0), prices) }
    return object
  }

  func json(_ row: CallRow, _ prices: PriceTable) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("call_id", .string(row.callID)), .init("response_id", .string(row.responseID)),
      .init("trace_id", .string(row.traceID)), .init("span_id", .string(row.spanID)),
      .init("thread_id", .string(row.threadID)), .init("thread_tags", Self.parsed(row.threadTags) ?? []),
      .init("identity_id", .string(row.identityID)), .init("deployment", .string(row.deployment)),
      .init("model", .string(row.model)), .init("provider", .string(row.provider)),
      .init("object", .string(row.object)), .init("created", .string(row.created)),
      .init("finalized", .string(row.finalized)), .init("integration_id", .string(row.integrationID)),
      .init("system_fingerprint", .string(row.systemFingerprint)),
      .init("started_at", .string(RFC3339.string(row.startedNs))), .init("state", .string(row.state)),
      .init("complete", .bool(row.isComplete)), .init("content_mode", .string(row.contentMode)),
      .init("mock", .bool(row.isMock)), .init("http_status", .int(row.httpStatus)),
      .init("error", error(row)), .init("text", .string(row.text)),
    ]
    let usage = CallUsage(row)
    let cost = CallCost(
      usage, model: CallModel(provider: row.provider, model: row.model, startedNs: row.startedNs), isMock: row.isMock,
      prices: prices)
    members += [.init("usage", usage.json), .init("defects", Self.parsed(row.defects) ?? [])]
    members += cost.members
    members += [.init("timings", timings(row)), .init("archive", archive(row))]
    return .object(members)
  }

  private func error(_ row: CallRow) -> JSONValue {
    let code: JSONValue =
      switch row.errorCode {
      case .text(let text): .string(text)
      case .integer(let number): .int(number)
      case .real, .null: .null
      }
    return JSONPieces.error(message: row.errorMessage, code: code, source: row.errorSource, frame: row.errorFrame)
  }

  private func timings(_ row: CallRow) -> JSONValue {
    .object([
      .init("first_byte_ms", JSONPieces.milliseconds(row.firstByteNs)),
      .init("first_frame_ms", JSONPieces.milliseconds(row.firstFrameNs)),
      .init("first_content_ms", JSONPieces.milliseconds(row.firstContentNs)),
      .init("duration_ms", JSONPieces.milliseconds(row.durationNs)), .init("frames", .int(row.frames)),
      .init("longest_gap_ms", JSONPieces.milliseconds(row.longestGapNs)),
    ])
  }

  private func archive(_ row: CallRow) -> JSONValue {
    .object([
      .init("file", .string(row.archiveFile)), .init("offset", .int(row.archiveOffset)),
      .init("leaf_hash", .string(row.leafHash)),
    ])
  }

  static func parsed(_ text: String?) -> JSONValue? { text.flatMap { try? JSONValue(parsing: $0) } }
}

extension CallUsage {
  init(_ row: CallRow) {
    counts = TokenCounts(
      prompt: row.promptTokens, completion: row.completionTokens, total: row.totalTokens, cached: row.cachedTokens,
      reasoning: row.reasoningTokens, frame: row.usageFrame)
    isKnown = row.hasUsage
    unknownReason = row.usageUnknownReason
    contradiction = row.usageContradiction
  }
}
