import TapeJSON

/// OpenAI's Responses API, streamed and whole.
///
/// Source: <https://platform.openai.com/docs/api-reference/responses-streaming> and
/// <https://platform.openai.com/docs/api-reference/responses/object>.
enum ResponsesGrammar: ChunkGrammar {
  struct Members {
    var type: JSONSlice?
    var object: JSONSlice?
    var outputIndex: JSONSlice?
    /// Of a message's content or a reasoning's texts.
    var partIndex: JSONSlice?
    var delta: JSONSlice?
    var text: JSONSlice?
    var item: JSONSlice?
    var part: JSONSlice?
    var response: JSONSlice?
    var annotation: JSONSlice?
    var logprobs: JSONSlice?
    var error: JSONSlice?
    /// Order, and padding against guessing lengths: no one looks at them.
    var sequence: JSONSlice?
    var obfuscation: JSONSlice?

    mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) {
      switch name {
      case "type": type = value
      case "object": object = value
      case "output_index": outputIndex = value
      case "content_index", "summary_index": partIndex = value
      case "delta": delta = value
      case "text", "refusal", "arguments", "input": text = value
      case "item": item = value
      case "part": part = value
      case "response": response = value
      case "annotation": annotation = value
      case "logprobs": logprobs = value
      case "error": error = value
      case "sequence_number": sequence = value
      case "obfuscation": obfuscation = value
      default: break
      }
    }
  }

  static func merge(
    _ chunk: UnsafeRawBufferPointer, frame: Int, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    var cursor = JSONCursor(chunk)
    let reader = cursor
    var members = Members()
    try cursor.members { (key, value) throws(JSONError) in
      if !value.isNull { reader.withName(key) { members.note($0, value) } }
    }
    try cursor.expectEnd()
    let whole = JSONSlice(kind: .object, range: 0..<chunk.count)
    let event = ResponsesEvent(cursor: reader, members: members, whole: whole, frame: frame)
    let type = members.type.flatMap { $0.kind == .string ? reader.string($0) : nil }
    if type == nil, members.object.map({ reader.matches($0, "response") }) ?? false {
      event.mergeResponse(whole, isEnd: true, into: &builder)
      // A whole answer is one only if it has come to its end.
      return
    }
    if type == "error" || (type == nil && members.error != nil) { return event.noteError(in: &builder) }
    guard let type else { return builder.keep(event: chunk) }
    if type == "ping" || type == "keepalive" || builder.isOver(type, frame: frame) { return }
    if !event.merge(type, into: &builder) { builder.keep(event: chunk) }
  }

  static func fate(ofPath path: String) -> FieldFate {
    guard !path.utf8.contains(where: { $0 == 0x7E || $0 == 0x25 }), let colon = path.utf8.firstIndex(of: 0x3A) else {
      return .each
    }
    // Behind the type are the indexes of item and part.
    let type = path[..<colon].prefix { $0 != "[" }
    guard ResponsesEvent.Text(deltaOf: String(type)) != nil else { return .each }
    switch path[path.utf8.index(after: colon)...] {
    case "delta": return .joined
    // Order, names that the output's index stands for, and padding against guessing lengths.
    case "sequence_number", "item_id", "obfuscation": return .extra
    case let place where place.hasPrefix("logprobs["): return .extra
    default: return .each
    }
  }
}
