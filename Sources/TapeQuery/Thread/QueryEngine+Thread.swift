internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapeJSON
internal import TapePricing
package import TapeTypes

/// One call of a thread.
package struct ThreadCall {
  package let id: CallID
  /// The object of `thread`.
  package let json: JSONValue
  /// What of the call is missing on tape; nil if nothing is.
  package let damage: String?
}

extension QueryEngine {
  /// The calls of a thread in the order of their start, each with what it says that was not said before. One call is
  /// held in memory at a time, and the messages of the one before.
  ///
  /// - Parameters:
  ///   - thread: its id, or `@1`, `@2`, … for the thread of a call.
  ///   - full: media whole, not as type, size and hash.
  /// - Throws: `TapeError` `.notFound` with the threads that begin alike.
  package func thread(_ thread: String, full: Bool = false, _ body: (ThreadCall) throws -> Void) throws {
    var filter = CallFilter()
    filter.thread = try threadID(thread)
    let entries = try entries(filter, sort: .oldest)
    guard !entries.isEmpty else { throw try unknown("thread", thread, columns: ["thread_id"]) }
    var report = ThreadReport(prices: try prices, full: full)
    for entry in entries {
      let recorded: RecordedCall
      do {
        recorded = try self.recorded(entry)
      } catch let error as TapeError where error.code == .erased || error.code == .notFound {
        continue
      }
      let shown = ShownCall(recorded, at: entry.location, prices: report.prices)
      let json = report.add(recorded, shown)
      try body(ThreadCall(id: entry.id, json: json, damage: integrityProblem(of: recorded)))
    }
  }

  private func threadID(_ reference: String) throws -> String {
    guard reference.hasPrefix("@") else { return reference }
    let entry = try resolve(reference)
    guard let thread = try text("thread_id", of: entry) else {
      throw TapeError(.notFound, "call \(entry.id) is of no thread: its request names none")
    }
    return thread
  }

  /// A column of a call; nil for NULL.
  func text(_ column: String, of entry: CallEntry) throws -> String? {
    var text: String?
    try catalogue.query("SELECT \(column) FROM calls WHERE call_id = ?", [.text(entry.id.description)]) {
      text = $0.text(0)
    }
    return text
  }

  /// The error for a name that no call has, with those that begin like it.
  func unknown(_ what: String, _ name: String, columns: [String]) throws -> TapeError {
    var found: [String] = []
    for column in columns where !name.isEmpty && !name.hasPrefix("@") {
      // U+10FFFF is behind every character that may follow.
      let sql = """
        SELECT DISTINCT \(column) FROM calls
        WHERE \(column) >= ? AND \(column) <= ? AND erased_ns IS NULL ORDER BY \(column) LIMIT 7
        """
      try catalogue.query(sql, [.text(name), .text(name + "\u{10FFFF}")]) { found.append($0.text(0) ?? "") }
    }
    let names = Set(found).sorted()
    let shown = names.prefix(6).joined(separator: ", ") + (names.count > 6 ? ", …" : "")
    return TapeError(
      .notFound,
      "no call of the \(what) '\(name)' in \(store.path)" + (names.isEmpty ? "" : "; there is \(shown)"))
  }
}

/// Makes the objects of `thread`, call by call.
struct ThreadReport {
  let prices: PriceTable
  private let full: Bool
  private var history = ThreadHistory()
  private var running = UsageSum()
  private var ids: [String] = []
  /// The inputs of the call before.
  private var inputs: [JSONValue.Member] = []

  init(prices: PriceTable, full: Bool) {
    self.prices = prices
    self.full = full
  }

  mutating func add(_ call: RecordedCall, _ shown: ShownCall) -> JSONValue {
    let messages = shown.messages(full: full)
    let step = history.step(
      messages, replies: shown.replies, startedNs: call.open.startedAtNs, endedNs: Self.end(of: call))
    ids.append(call.open.id.description)
    let object = shown.json(full: full)
    if !shown.isMock { running.add(shown.usageFacts) }
    func taken(_ keys: String...) -> [JSONValue.Member] { keys.map { .init($0, object[$0] ?? .null) } }
    let conversation: [JSONValue.Member] = [
      .init("history", .string(step.kind.rawValue)), .init("since", .string(step.base.map { ids[$0] })),
      .init("overlaps", .bool(step.overlaps)), .init("messages_sent", .int(messages.count)),
      .init("changes", .array(step.changes.map(Self.json))),
      .init("messages", .array(step.new.map { Self.json(messages[$0], position: $0) })),
      .init("inputs", newInputs(shown.inputs)),
    ]
    return .object(
      taken("call_id", "started_at", "state", "deployment", "model", "provider", "identity_id", "mock")
        + conversation + taken("choices", "error", "usage", "cost", "cost_unknown", "timings")
        + [.init("running", runningTotals)])
  }

  /// When a call was over, ns since 1970: nil while it goes on, or where nobody knows.
  private static func end(of call: RecordedCall) -> Int64? {
    if call.end == nil, call.isLive { return .max }
    guard let offset = call.end?.offsetNs ?? call.frameOffsetsNs.last else { return nil }
    return call.open.startedAtNs.addingReportingOverflow(offset).partialValue
  }

  private static func json(_ message: ChatMessage, position: Int) -> JSONValue {
    let calls = message.toolCalls.map { call -> JSONValue in
      ["id": .string(call.id), "name": .string(call.name), "arguments": .string(call.arguments)]
    }
    return .object([
      .init("position", .int(position)), .init("role", .string(message.role)),
      .init("content", .string(message.content)), .init("tool_calls", .array(calls)),
      .init("tool_call_id", .string(message.toolCallID)),
    ])
  }

  private static func json(_ change: ThreadHistory.Change) -> JSONValue {
    .object([
      .init("kind", .string(change.kind.rawValue)), .init("position", .int(change.position)),
      .init("was", .int(change.was)), .init("role", .string((change.after ?? change.before)?.role)),
      .init("before", .string(change.before?.plainText)), .init("after", .string(change.after?.plainText)),
    ])
  }

  /// Those that are not what they were.
  private mutating func newInputs(_ value: JSONValue?) -> JSONValue {
    let now = value?.members ?? []
    let changed = now.filter { !inputs.contains($0) }
    inputs = now
    return .object(full ? changed : withoutInlineMedia(.object(changed)).members ?? [])
  }

  private var runningTotals: JSONValue {
    .object([
      .init("calls", .int(running.calls)), .init("prompt_tokens", .int(running.prompt.value)),
      .init("completion_tokens", .int(running.completion.value)), .init("total_tokens", .int(running.total.value)),
      .init("cost_usd", .string(running.cost.total?.description)),
      .init("calls_without_usage", .int(running.withoutUsage)),
      .init("calls_without_price", .int(running.withoutPrice)),
    ])
  }
}

extension ShownCall {
  /// The conversation that the request carries; of a body that is no object all of it, as one message without role.
  func messages(full: Bool) -> [ChatMessage] {
    if facts.body?.members != nil || call.open.body.isEmpty { return facts.messages(full: full) }
    let text = String(validating: call.open.body, as: UTF8.self) ?? "[\(call.open.body.count) bytes]"
    return [ChatMessage(role: nil, content: full ? text : withoutInlineMedia(text))]
  }

  var replies: [ChatMessage] { generation.choices.compactMap(ChatMessage.init(reply:)) }

  var inputs: JSONValue? { facts.inputs }

  var isMock: Bool { facts.isMock }

  var usageFacts: UsageFacts {
    let timing = CallTiming(call)
    return UsageFacts(
      state: state, hasUsage: usage.isKnown, counts: usage.counts, cost: cost,
      firstContentNs: generation.firstContentFrame.flatMap { timing.offset(of: $0) },
      durationNs: call.open.hasTimes ? call.end?.offsetNs : nil)
  }
}
