package import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
package import TapeJSON
internal import TapePricing
package import TapeTypes

extension QueryEngine {
  /// The object of `show`, read from the archive and put together afresh.
  ///
  /// - Parameter full: inline media whole instead of as `[image/png 1.2 MB sha256 …]`.
  package func show(_ entry: CallEntry, full: Bool = false) throws -> JSONValue {
    try show(try recorded(entry), at: entry.location, full: full)
  }

  /// The same of a call that was read already.
  package func show(_ call: RecordedCall, at location: CallLocation, full: Bool = false) throws -> JSONValue {
    try shown(call, at: location, prices: prices).json(full: full)
  }

  /// The object of `show` with `text`, as the objects of `calls` have it, behind its other keys.
  package func exported(_ call: RecordedCall, at location: CallLocation, full: Bool = false) throws -> JSONValue {
    let shown = try shown(call, at: location, prices: prices)
    return .object((shown.json(full: full).members ?? []) + [.init("text", .string(shown.text))])
  }

  /// A call that was read, and what other calls say about it.
  func shown(_ call: RecordedCall, at location: CallLocation, prices: PriceTable) throws -> ShownCall {
    var shown = ShownCall(call, at: location, prices: prices)
    if shown.thread == nil, shown.isChained { shown.thread = try text("thread_id", of: call.open.id) }
    return shown
  }
}

/// A call with all that can be said about it.
struct ShownCall {
  let call: RecordedCall
  private let location: CallLocation
  let facts: RequestFacts
  let generation: Generation
  /// Which its request names, or which the catalogue has for it.
  var thread: String?
  private let prices: PriceTable

  init(_ call: RecordedCall, at location: CallLocation, prices: PriceTable) {
    self.call = call
    self.location = location
    self.prices = prices
    facts = RequestFacts(call.open)
    thread = facts.threadID
    var generation = TapeDialects.generation(of: call)
    generation.noteArchiveDamage(integrityProblem(of: call), end: call.end)
    self.generation = generation
  }

  /// Its thread may come from calls that it goes on from, or that go on from it.
  var isChained: Bool { facts.previousResponseID != nil || generation.dialect == .openAIResponses }

  func json(full: Bool) -> JSONValue {
    let object = JSONValue.object(names + response + outcome + content + bill)
    return full ? object : withoutInlineMedia(object)
  }

  /// The beginning of choice 0.
  var text: String? {
    generation.choices.first { $0.index == 0 }?.content.map { content in
      String(
        String.UnicodeScalarView((withoutInlineMedia(.string(content)).string ?? content).unicodeScalars.prefix(200)))
    }
  }

  private var names: [JSONValue.Member] {
    [
      .init("call_id", .string(call.open.id.description)), .init("response_id", .string(generation.responseID)),
      .init("trace_id", .string(generation.traceID)), .init("span_id", .string(generation.spanID)),
      .init("thread_id", .string(thread)), .init("thread_tags", JSONPieces.strings(facts.threadTags)),
      .init("identity_id", .string(facts.identityID)), .init("deployment", .string(facts.deployment)),
    ]
  }

  private var response: [JSONValue.Member] {
    [
      .init("model", .string(generation.model)), .init("provider", .string(generation.provider)),
      .init("object", .string(generation.object)), .init("created", .string(generation.created)),
      .init("finalized", .string(generation.finalized)), .init("integration_id", .string(generation.integrationID)),
      .init("system_fingerprint", .string(generation.systemFingerprint)),
    ]
  }

  var state: CallState {
    CallState(
      head: call.head, end: call.end, isLive: call.isLive, isComplete: generation.endedWhole ?? generation.complete,
      hasErrorFrame: generation.hasErrorFrame)
  }

  private var outcome: [JSONValue.Member] {
    let error = generation.error
    return [
      .init("started_at", .string(RFC3339.string(call.open.startedAtNs))), .init("state", .string(state.rawValue)),
      .init("complete", .bool(generation.complete)), .init("content_mode", .string(generation.contentMode.rawValue)),
      .init("mock", .bool(facts.isMock)), .init("http_status", .int(call.head?.status)),
      .init(
        "error",
        JSONPieces.error(
          message: error?.message, code: error?.code ?? .null, source: error?.source, frame: error?.frame)),
    ]
  }

  private var content: [JSONValue.Member] {
    [
      .init("request", request), .init("choices", .array(generation.choices.map(choice))),
      .init("usage", usage.json), .init("retrievals", .array(generation.retrievals)),
      .init("defects", JSONPieces.defects(generation.defects)), .init("extra", generation.extra),
    ]
  }

  /// The request's body as it was sent: JSON as such, other text as text, anything else as base64.
  private var request: JSONValue {
    let body = call.open.body
    if body.isEmpty { return .null }
    if let json = facts.body ?? (try? JSONValue(parsing: body)) { return json }
    if let text = String(validating: body, as: UTF8.self) { return .string(text) }
    return .object([.init("base64", .string(JSONPieces.base64(body)))])
  }

  private func choice(_ choice: Choice) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("index", .int(choice.index)), .init("type", .string(choice.type)), .init("role", .string(choice.role)),
      .init("content", .string(choice.content)), .init("reasoning", .string(choice.reasoning)),
      .init("reasoning_signature", .string(choice.reasoningSignature)),
      .init("redacted_reasoning", .string(choice.redactedReasoning)),
      .init("tool_calls", .array(choice.toolCalls.map(toolCall))),
      .init("image_urls", JSONPieces.strings(choice.imageURLs)), .init("finish_reason", .string(choice.finishReason)),
    ]
    // Only some providers have these: there if they are.
    if let refusal = choice.refusal { members.append(.init("refusal", .string(refusal))) }
    return .object(members)
  }

  private func toolCall(_ call: ToolCall) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("index", .int(call.index)), .init("id", .string(call.id)), .init("name", .string(call.name)),
      .init("arguments", .string(call.arguments)),
    ]
    if let type = call.type { members.append(.init("type", .string(type))) }
    if let signature = call.thoughtSignature { members.append(.init("thought_signature", .string(signature))) }
    return .object(members)
  }

  var usage: CallUsage {
    let usage = generation.usage
    let counts = usage.map {
      TokenCounts(
        prompt: $0.prompt, completion: $0.completion, total: $0.total, cached: $0.cached, reasoning: $0.reasoning,
        frame: $0.frame)
    }
    return CallUsage(
      counts: counts ?? TokenCounts(), isKnown: counts != nil, unknownReason: generation.usageUnknownReason,
      contradiction: usage?.contradiction)
  }

  var cost: CallCost {
    let model = CallModel(
      provider: generation.provider, model: generation.model, startedNs: call.open.startedAtNs)
    let cost = CallCost(usage, model: model, isMock: facts.isMock, prices: prices)
    guard case .priced(var priced) = cost, let written = cacheWrites, written > 0 else { return cost }
    priced.notes.append(
      "\(Self.grouped(written)) of the prompt tokens were written to a cache: priced as input, for which providers bill "
        + "more")
    return .priced(priced)
  }

  /// Prompt tokens that the provider says it wrote to its cache.
  private var cacheWrites: Int? {
    let usage = generation.extra["usage"]
    return usage?["cache_creation_input_tokens"]?.integer
      ?? usage?["input_tokens_details"]?["cache_write_tokens"]?.integer
      ?? usage?["prompt_tokens_details"]?["cache_write_tokens"]?.integer
  }

  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return String(
      digits.enumerated().flatMap { index, digit in
        index > 0 && (digits.count - index) % 3 == 0 ? [",", digit] : [digit]
      })
  }

  private var bill: [JSONValue.Member] {
    cost.members + [.init("timings", timings), .init("archive", archive)]
  }

  private var timings: JSONValue {
    let timing = CallTiming(call)
    let firstContent = generation.firstContentFrame.flatMap { timing.offset(of: $0) }
    let hasTimes = call.open.hasTimes
    return .object([
      .init("first_byte_ms", JSONPieces.milliseconds(hasTimes ? call.head?.offsetNs : nil)),
      .init("first_frame_ms", JSONPieces.milliseconds(timing.first)),
      .init("first_content_ms", JSONPieces.milliseconds(firstContent)),
      .init("duration_ms", JSONPieces.milliseconds(hasTimes ? call.end?.offsetNs : nil)),
      .init("frames", .int(call.frameCount)), .init("longest_gap_ms", JSONPieces.milliseconds(timing.longestGap)),
    ])
  }

  private var archive: JSONValue {
    let isOpen = call.end == nil && call.isLive
    return .object([
      .init("file", .string(location.file)), .init("offset", .int(location.offset)),
      .init("leaf_hash", isOpen ? .null : .string(Hex.string(leafHash(of: call)))),
    ])
  }
}
