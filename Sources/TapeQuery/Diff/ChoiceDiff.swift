internal import TapeDialects
internal import TapeJSON

/// One choice of a call beside that of another; nil where a call does not have it.
struct ChoiceDiff {
  private let index: Int
  private let a: Choice?
  private let b: Choice?
  private let content: TextDiff?
  private let reasoning: TextDiff?
  private let refusal: TextDiff?
  private let tools: [ToolCallDiff]

  init(_ index: Int, _ a: Choice?, _ b: Choice?) {
    self.index = index
    self.a = a
    self.b = b
    content = Self.diff(a?.content.map { withoutInlineMedia($0) }, b?.content.map { withoutInlineMedia($0) })
    reasoning = Self.diff(a?.reasoning, b?.reasoning)
    refusal = Self.diff(a?.refusal, b?.refusal)
    tools = ToolCallDiff.align(a?.toolCalls ?? [], b?.toolCalls ?? [])
  }

  /// Text, tool calls and images are; how it was put into words before does not count.
  var isSame: Bool {
    [content, refusal].allSatisfy { $0?.isSame ?? true } && tools.allSatisfy { $0.operation == .same }
      && a?.imageURLs == b?.imageURLs && (a == nil) == (b == nil)
  }

  /// nil where neither has a text.
  private static func diff(_ a: String?, _ b: String?) -> TextDiff? {
    a == nil && b == nil ? nil : TextDiff(a ?? "", b ?? "")
  }

  var json: JSONValue {
    .object([
      .init("index", .int(index)),
      .init("finish_reason", ["a": .string(a?.finishReason), "b": .string(b?.finishReason)]),
      .init("content", content?.json ?? .null), .init("reasoning", reasoning?.json ?? .null),
      .init("refusal", refusal?.json ?? .null), .init("tool_calls", .array(tools.map(\.json))),
      .init(
        "image_urls",
        [
          "a": JSONPieces.strings((a?.imageURLs ?? []).map { withoutInlineMedia($0) }),
          "b": JSONPieces.strings((b?.imageURLs ?? []).map { withoutInlineMedia($0) }),
        ]),
    ])
  }
}

/// One tool call beside another of the same name.
struct ToolCallDiff {
  enum Operation: String { case same, changed, removed, added }

  private let a: ToolCall?
  private let b: ToolCall?

  /// Calls of one name in the same order are taken for each other.
  static func align(_ a: [ToolCall], _ b: [ToolCall]) -> [ToolCallDiff] {
    var numbers: [[UInt8]: Int32] = [:]
    func number(_ call: ToolCall) -> Int32 {
      let name = Array((call.name ?? "").utf8)
      let next = Int32(clamping: numbers.count)
      if let known = numbers[name] { return known }
      numbers[name] = next
      return next
    }
    var diffs: [ToolCallDiff] = []
    var (inA, inB) = (0, 0)
    func addUnpaired(_ toA: Int, _ toB: Int) {
      diffs += a[inA..<toA].map { ToolCallDiff(a: $0, b: nil) } + b[inB..<toB].map { ToolCallDiff(a: nil, b: $0) }
    }
    for match in SequenceDiff(a.map(number), b.map(number)).matches {
      addUnpaired(match.a, match.b)
      diffs += (0..<match.count).map { ToolCallDiff(a: a[match.a + $0], b: b[match.b + $0]) }
      (inA, inB) = (match.a + match.count, match.b + match.count)
    }
    addUnpaired(a.count, b.count)
    return diffs
  }

  /// Arguments are the same when they are the same JSON, however it is written.
  var operation: Operation {
    guard let a else { return .added }
    guard let b else { return .removed }
    return ChatMessage(role: nil, toolCalls: [a]).key == ChatMessage(role: nil, toolCalls: [b]).key ? .same : .changed
  }

  var json: JSONValue {
    .object([
      .init("op", .string(operation.rawValue)), .init("name", .string(a?.name ?? b?.name)),
      .init("a", Self.json(a)), .init("b", Self.json(b)),
      .init("arguments", TextDiff(a?.arguments ?? "", b?.arguments ?? "").json),
    ])
  }

  private static func json(_ call: ToolCall?) -> JSONValue {
    guard let call else { return .null }
    return ["index": .int(call.index), "id": .string(call.id), "arguments": .string(call.arguments)]
  }
}
