internal import Foundation
internal import TapeJSON
internal import TapeSSE
internal import TapeTypes

typealias Span = Opentelemetry_Proto_Trace_V1_Span

/// One call as a span after the GenAI semantic conventions.
struct SpanMaker {
  /// With prompts and completions.
  let hasContent: Bool

  /// - Parameters:
  ///   - shown: the object of `show`.
  ///   - state: as the catalogue has it.
  func span(_ call: RecordedCall, shown: JSONValue, state: CallState) -> Span {
    let server = Server(call.open.upstream)
    let names = SpanNames(
      call: call.open.id, trace: shown["trace_id"]?.string, span: shown["span_id"]?.string, headers: call.open.headers)
    var span = Span()
    place(&span, names)
    let operation = Conventions.operation(path: call.open.path, object: shown["object"]?.string)
    let model = requestModel(shown)
    span.name = model.map { "\(operation) \($0)" } ?? operation
    span.kind = .client
    let start = call.open.startedAtNs
    let took = call.open.hasTimes ? max(0, call.end?.offsetNs ?? call.frameOffsetsNs.last ?? 0) : 0
    span.startTimeUnixNano = UInt64(max(0, start))
    span.endTimeUnixNano = UInt64(max(0, start.addingReportingOverflow(took).partialValue))
    var attributes = SpanAttributes()
    attributes.add("gen_ai.operation.name", operation)
    attributes.add("gen_ai.provider.name", Conventions.provider(shown["provider"]?.string, host: server.address))
    attributes.add("gen_ai.request.model", model)
    add(request: shown["request"] ?? .null, to: &attributes)
    add(response: shown, call, to: &attributes)
    attributes.add("gen_ai.conversation.id", shown["thread_id"]?.string)
    attributes.add("server.address", server.address)
    attributes.add("server.port", server.port)
    attributes.add("http.response.status_code", call.head?.status)
    if Conventions.isError(state) { fail(&span, &attributes, call, shown, state) }
    add(own: shown, state, names, to: &attributes)
    if hasContent { SpanContent(shown).add(to: &attributes) }
    span.attributes = attributes.list
    return span
  }

  private func place(_ span: inout Span, _ names: SpanNames) {
    span.traceID = names.traceID
    span.spanID = names.spanID
    if let parent = names.parentID {
      span.parentSpanID = parent
      span.traceState = names.traceState
      // The parent is in another process: HAS_IS_REMOTE and IS_REMOTE.
      span.flags = 0x300
    }
    if let link = names.link {
      var other = Span.Link()
      other.traceID = link.traceID
      other.spanID = link.spanID
      other.traceState = names.traceState
      span.links = [other]
    }
  }

  /// What the request asks for; of a deployment, which names none, the model that orq asked for it.
  private func requestModel(_ shown: JSONValue) -> String? {
    if let model = shown["request"]?["model"]?.string, !model.isEmpty { return model }
    return shown["deployment"]?.string == nil ? nil : shown["model"]?.string
  }

  private func add(request: JSONValue, to attributes: inout SpanAttributes) {
    attributes.add("gen_ai.request.stream", request["stream"]?.bool == true ? true : nil)
    for name in ["temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"] {
      attributes.add("gen_ai.request.\(name)", double: request[name])
    }
    let most = request["max_tokens"] ?? request["max_completion_tokens"] ?? request["max_output_tokens"]
    attributes.add("gen_ai.request.max_tokens", most?.integer)
    attributes.add("gen_ai.request.seed", request["seed"]?.integer)
    attributes.add("gen_ai.request.choice.count", request["n"]?.integer.flatMap { $0 == 1 ? nil : $0 })
    let stop = request["stop"] ?? request["stop_sequences"]
    attributes.add(
      "gen_ai.request.stop_sequences", stop?.array?.compactMap(\.string) ?? stop?.string.map { [$0] } ?? [])
    switch request["response_format"]?["type"]?.string {
    case "json_object"?, "json_schema"?: attributes.add("gen_ai.output.type", "json")
    case "text"?: attributes.add("gen_ai.output.type", "text")
    default: break
    }
  }

  private func add(response shown: JSONValue, _ call: RecordedCall, to attributes: inout SpanAttributes) {
    attributes.add("gen_ai.response.id", shown["response_id"]?.string)
    attributes.add("gen_ai.response.model", shown["model"]?.string)
    let reasons = (shown["choices"]?.array ?? []).compactMap { $0["finish_reason"]?.string }
    attributes.add("gen_ai.response.finish_reasons", reasons)
    if let ns = firstChunkNs(call) {
      attributes.add("gen_ai.response.time_to_first_chunk", .doubleValue(Double(ns) / 1e9))
    }
    guard let usage = shown["usage"], usage.members != nil else { return }
    let (prompt, completion) = (usage["prompt_tokens"]?.integer, usage["completion_tokens"]?.integer)
    let (total, reasoning) = (usage["total_tokens"]?.integer, usage["reasoning_tokens"]?.integer)
    attributes.add("gen_ai.usage.input_tokens", prompt)
    attributes.add("gen_ai.usage.output_tokens", output(prompt, completion, total, reasoning))
    attributes.add("gen_ai.usage.cache_read.input_tokens", usage["cached_tokens"]?.integer)
    attributes.add("gen_ai.usage.reasoning.output_tokens", reasoning)
  }

  /// Reasoning is to be part of the output tokens; some providers count it on top.
  private func output(_ prompt: Int?, _ completion: Int?, _ total: Int?, _ reasoning: Int?) -> Int? {
    guard let prompt, let completion, let total, let reasoning, reasoning > 0 else { return completion }
    let (sum, overflow) = completion.addingReportingOverflow(reasoning)
    return !overflow && total.subtractingReportingOverflow(prompt) == (sum, false) ? sum : completion
  }

  /// Arrival of the first frame that has an event, of a stream.
  private func firstChunkNs(_ call: RecordedCall) -> Int64? {
    let type = call.head?.headers.first("content-type")?.lowercased() ?? ""
    guard call.open.hasTimes, type.hasPrefix("text/event-stream") else { return nil }
    var events = EventParser()
    return call.raw.withUnsafeBytes { raw in
      for index in 0..<call.frameCount {
        var isEvent = false
        events.feed(UnsafeRawBufferPointer(rebasing: raw[call.frameRange(index)])) { _ in isEvent = true }
        if isEvent { return call.frameOffsetNs(index) }
      }
      return nil
    }
  }

  private func fail(
    _ span: inout Span, _ attributes: inout SpanAttributes, _ call: RecordedCall, _ shown: JSONValue, _ state: CallState
  ) {
    span.status.code = .error
    span.status.message = shown["error"]?["message"]?.string ?? call.end?.detail ?? state.rawValue
    attributes.add("error.type", Conventions.errorType(shown, state: state, status: call.head?.status))
  }

  /// What the conventions have no name for.
  private func add(own shown: JSONValue, _ state: CallState, _ names: SpanNames, to attributes: inout SpanAttributes) {
    attributes.add("user.id", shown["identity_id"]?.string)
    attributes.add("tapedeck.call_id", shown["call_id"]?.string)
    attributes.add("tapedeck.state", state.rawValue)
    attributes.add("tapedeck.deployment", shown["deployment"]?.string)
    attributes.add("tapedeck.provider", shown["provider"]?.string)
    attributes.add("tapedeck.trace_id", names.originalTraceID)
    attributes.add("tapedeck.span_id", names.originalSpanID)
    attributes.add("tapedeck.cost_usd", shown["cost"]?["total_usd"]?.string)
  }
}

/// Host and port of an origin such as `https://api.orq.ai`.
struct Server: Equatable {
  var address: String?
  var port: Int?

  init(_ origin: String) {
    guard let mark = origin.range(of: "://") else { return }
    let scheme = origin[..<mark.lowerBound]
    let authority = origin[mark.upperBound...].prefix { $0 != "/" }
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      address = String(authority[authority.index(after: authority.startIndex)..<end])
      port = Int(authority[authority.index(after: end)...].drop { $0 == ":" })
    } else {
      let parts = authority.split(separator: ":", maxSplits: 1)
      address = parts.first.map(String.init)
      port = parts.count > 1 ? Int(parts[1]) : nil
    }
    if address != nil, port == nil { port = scheme == "http" ? 80 : 443 }
  }
}
