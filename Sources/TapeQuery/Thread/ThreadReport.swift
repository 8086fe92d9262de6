internal import TapeDialects
internal import TapeJSON
internal import TapePricing
internal import TapeTypes

/// Makes the objects of `thread`, call by call.
struct ThreadReport {
  let prices: PriceTable
  private let full: Bool
  private var history = ThreadHistory()
  private var running = RunningTotals()
  private var ids: [String] = []
  /// For each response the number of the call that made it.
  private var makers: [String: Int] = [:]
  /// The inputs of the call before.
  private var inputs: [JSONValue.Member] = []

  init(prices: PriceTable, full: Bool) {
    self.prices = prices
    self.full = full
  }

  mutating func add(_ call: RecordedCall, _ shown: ShownCall) -> JSONValue {
    let messages = shown.messages(full: full)
    let previous = shown.facts.previousResponseID.map { ThreadHistory.Previous(response: $0, call: makers[$0]) }
    let step = history.step(
      messages, replies: shown.replies, startedNs: call.open.startedAtNs, endedNs: Self.end(of: call),
      previous: previous)
    if let response = shown.generation.responseID, makers[response] == nil { makers[response] = ids.count }
    ids.append(call.open.id.description)
    let object = shown.json(full: full)
    if !shown.isMock { running.add(shown.usage, shown.cost) }
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
        + [.init("running", running.json)])
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
}
