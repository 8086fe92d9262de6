import TapeJSON

/// The counts of Anthropic's usage so far. Those of `message_delta` are cumulative: each replaces the one before it,
/// and what a later usage leaves out stays.
struct AnthropicUsage: Sendable, Equatable {
  /// Without what was written to or read from the cache.
  var input: Int?
  var cacheWrite: Int?
  var cacheRead: Int?
  var output: Int?
  var thinking: Int?
  /// A `message_delta` had usage.
  var hasFinal = false
  /// The counts are of a whole answer.
  var isWhole = false

  /// `message_start` says how many output tokens there were then: one or so, whatever was generated later.
  var isOnlyBegun: Bool { input != nil && !hasFinal && !isWhole }

  static let onlyBegun = "the stream ended before its last usage: output tokens are those of its beginning"
}

extension GenerationBuilder {
  /// - Parameter isFinal: of a `message_delta`.
  mutating func merge(anthropicUsage slice: JSONSlice, of cursor: JSONCursor, frame: Int, isFinal: Bool) {
    guard slice.kind == .object else {
      extra.set(.top, "usage", slice, of: cursor)
      return rejectUsage("usage is no object", frame: frame)
    }
    var problem: String?
    var saysSomething = false
    cursor.eachMember(of: slice) { key, value in
      if value.isNull { return }
      saysSomething = saysSomething || value.kind == .number
      func count(_ name: StaticString) -> Int? { UsageReader.count(value, of: cursor, name, &problem) }
      cursor.withName(key) { name in
        switch name {
        case "input_tokens": anthropicUsage.input = count("input_tokens") ?? anthropicUsage.input
        case "output_tokens": anthropicUsage.output = count("output_tokens") ?? anthropicUsage.output
        case "cache_read_input_tokens":
          anthropicUsage.cacheRead = count("cache_read_input_tokens") ?? anthropicUsage.cacheRead
        case "cache_creation_input_tokens":
          anthropicUsage.cacheWrite = count("cache_creation_input_tokens") ?? anthropicUsage.cacheWrite
          extra.set(.init(kind: .usage), key, value, of: cursor)
        case "output_tokens_details":
          if let slice = cursor.member("thinking_tokens", of: value) {
            anthropicUsage.thinking =
              UsageReader.count(slice, of: cursor, "thinking_tokens", &problem) ?? anthropicUsage.thinking
          }
          extra.set(.init(kind: .usage), key, value, of: cursor)
        default: extra.set(.init(kind: .usage), key, value, of: cursor)
        }
      }
    }
    guard saysSomething else { return }
    anthropicUsage.hasFinal = anthropicUsage.hasFinal || isFinal
    take(anthropicUsage.counts(frame: frame), problem: problem)
  }
}

extension AnthropicUsage {
  /// In our terms: all of the prompt is in `prompt`, also what came from the cache.
  func counts(frame: Int) -> Usage {
    let prompt = input.flatMap { UsageReader.sum($0, cacheWrite ?? 0, cacheRead ?? 0) }
    let total = prompt.flatMap { prompt in output.flatMap { UsageReader.sum(prompt, $0) } }
    return Usage(prompt: prompt, completion: output, total: total, cached: cacheRead, reasoning: thinking, frame: frame)
  }
}
