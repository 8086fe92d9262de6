internal import TapeJSON

/// Builds the chunks of one orq.ai deployment stream as the API sends them: every field of
/// the wire format that the scenarios need, with ids of one response.
struct OrqChunks {
  let responseID: String
  let traceID: String
  let spanID: String
  let created: String
  let model: String
  let provider: String

  /// One chunk; `extra` members go behind the common ones (usage, retrievals, finalized …).
  func chunk(choices: [JSONValue], isFinal: Bool = false, extra: [JSONValue.Member] = []) -> JSONValue {
    let common: [JSONValue.Member] = [
      .init("id", .string(responseID)),
      .init("created", .string(created)),
      .init("object", "chat"),
      .init("model", .string(model)),
      .init("provider", .string(provider)),
      .init("integration_id", "6f1d0c52-8b1e-4a0c-9d57-2f4c3f5b7a10"),
      .init("telemetry", ["trace_id": .string(traceID), "span_id": .string(spanID)]),
      .init("is_final", .bool(isFinal)),
      .init("choices", .array(choices)),
    ]
    return .object(common + extra)
  }

  func text(_ piece: String, choice: Int = 0) -> JSONValue {
    chunk(choices: [Self.choice(choice, ["type": "content", "role": "assistant", "content": .string(piece)])])
  }

  func reasoning(_ piece: String) -> JSONValue {
    chunk(choices: [
      Self.choice(0, ["type": "content", "role": "assistant", "content": "", "reasoning": .string(piece)])
    ])
  }

  func toolCall(_ index: Int, id: String?, name: String, arguments: String) -> JSONValue {
    var call: [JSONValue.Member] = [.init("index", .int(index))]
    if let id { call.append(.init("id", .string(id))) }
    call.append(.init("type", "function"))
    call.append(.init("function", ["name": .string(name), "arguments": .string(arguments)]))
    return chunk(choices: [
      Self.choice(0, ["type": "tool_calls", "role": "assistant", "tool_calls": .array([.object(call)])])
    ])
  }

  func final(
    finishReasons: [String] = ["stop"], usage: JSONValue?, finalized: String, extra: [JSONValue.Member] = []
  ) -> JSONValue {
    var members = extra
    members.append(.init("finalized", .string(finalized)))
    if let usage { members.append(.init("usage", usage)) }
    let choices = finishReasons.enumerated().map { index, reason in
      Self.choice(index, ["type": "content", "role": "assistant", "content": ""], finishReason: reason)
    }
    return chunk(choices: choices, isFinal: true, extra: members)
  }

  static func choice(_ index: Int, _ message: JSONValue, finishReason: String? = nil) -> JSONValue {
    ["index": .int(index), "message": message, "finish_reason": .string(finishReason)]
  }

  static func usage(prompt: Int, completion: Int, cached: Int = 0, reasoning: Int = 0) -> JSONValue {
    [
      "total_tokens": .int(prompt + completion), "prompt_tokens": .int(prompt), "completion_tokens": .int(completion),
      "prompt_tokens_details": ["cached_tokens": .int(cached)],
      "completion_tokens_details": ["reasoning_tokens": .int(reasoning)],
    ]
  }
}
