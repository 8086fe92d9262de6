import TapeJSON

/// Anthropic's Messages API, streamed and whole.
///
/// Source: <https://platform.claude.com/docs/en/build-with-claude/streaming> and
/// <https://platform.claude.com/docs/en/api/messages>.
enum AnthropicGrammar: ChunkGrammar {
  struct Members {
    var type: JSONSlice?
    var index: JSONSlice?
    var message: JSONSlice?
    var contentBlock: JSONSlice?
    var delta: JSONSlice?
    var usage: JSONSlice?
    var error: JSONSlice?

    mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) {
      switch name {
      case "type": type = value
      case "index": index = value
      case "message": message = value
      case "content_block": contentBlock = value
      case "delta": delta = value
      case "usage": usage = value
      case "error": error = value
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
    let type = members.type.flatMap { $0.kind == .string ? reader.string($0) : nil }
    let whole = JSONSlice(kind: .object, range: 0..<chunk.count)
    let event = AnthropicEvent(cursor: reader, members: members, whole: whole, frame: frame)
    if type == "ping" { return }
    if type == "error" || (type == nil && members.error != nil) { return event.noteError(in: &builder) }
    if let type, builder.isOver(type, frame: frame) { return }
    switch type {
    case "content_block_delta": event.mergeDelta(into: &builder)
    case "message_start": if let message = members.message { event.mergeMessage(message, into: &builder) }
    case "content_block_start": event.startBlock(in: &builder)
    case "content_block_stop": event.stopBlock(in: &builder)
    case "message_delta": event.mergeMessageDelta(into: &builder)
    case "message_stop": builder.isFinal = true
    case "message":
      // A whole answer.
      event.mergeMessage(whole, into: &builder)
      builder.anthropicUsage.isWhole = true
    default: builder.keep(event: chunk)
    }
  }

  static func fate(ofPath path: String) -> FieldFate {
    guard !path.utf8.contains(where: { $0 == 0x7E || $0 == 0x25 }) else { return .each }
    guard path.hasPrefix("content_block_delta"), let colon = path.utf8.firstIndex(of: 0x3A) else { return .each }
    switch path[path.utf8.index(after: colon)...] {
    case "delta.text", "delta.thinking", "delta.partial_json": return .joined
    case "delta.signature": return .joinedOnce
    default: return .each
    }
  }
}

/// One event, and what it does.
private struct AnthropicEvent {
  let cursor: JSONCursor
  let members: AnthropicGrammar.Members
  let whole: JSONSlice
  let frame: Int

  private var number: Int { members.index.flatMap { cursor.integer($0) } ?? 0 }

  func noteError(in builder: inout GenerationBuilder) {
    let error = members.error ?? whole
    let message = cursor.text("message", of: error).map { cursor.string($0) }
    let code = cursor.text("type", of: error).map { JSONValue.string(cursor.string($0)) }
    builder.noteError(
      GenerationError(message: message ?? cursor.value(error).compactString, code: code, frame: frame),
      kind: .errorFrame, frame: frame)
    cursor.eachMember(of: error, but: ["message", "type"]) { key, value in
      builder.extra.set(.init(kind: .error), key, value, of: cursor)
    }
    cursor.eachMember(of: whole, but: ["type", "error"]) { key, value in
      builder.extra.set(.top, key, value, of: cursor)
    }
  }

  // MARK: The message

  func mergeMessage(_ message: JSONSlice, into builder: inout GenerationBuilder) {
    builder.makeSingle()
    cursor.eachMember(of: message) { key, value in
      if value.isNull { return }
      cursor.withName(key) { name in
        switch name {
        case "id": builder.setFirst(\.responseID, value, of: cursor)
        case "type": builder.setFirst(\.object, value, of: cursor)
        case "model": builder.note(model: value, of: cursor, frame: frame)
        case "role": if value.kind == .string { builder.single.role = cursor.string(value) }
        case "content": mergeContent(value, into: &builder)
        case "stop_reason": if value.kind == .string { builder.single.finishReason = cursor.string(value) }
        case "stop_details": mergeStopDetails(value, into: &builder)
        case "usage": builder.merge(anthropicUsage: value, of: cursor, frame: frame, isFinal: false)
        default: builder.extra.set(.top, key, value, of: cursor)
        }
      }
    }
  }

  private func mergeContent(_ content: JSONSlice, into builder: inout GenerationBuilder) {
    cursor.eachElement(of: content) { number, block in
      start(block, number: number, in: &builder)
      stop(number: number, in: &builder)
    }
  }

  func mergeMessageDelta(into builder: inout GenerationBuilder) {
    builder.makeSingle()
    if let delta = members.delta {
      cursor.eachMember(of: delta) { key, value in
        if value.isNull { return }
        cursor.withName(key) { name in
          switch name {
          case "stop_reason": if value.kind == .string { builder.single.finishReason = cursor.string(value) }
          case "stop_details": mergeStopDetails(value, into: &builder)
          default: builder.extra.set(.top, key, value, of: cursor)
          }
        }
      }
    }
    if let usage = members.usage { builder.merge(anthropicUsage: usage, of: cursor, frame: frame, isFinal: true) }
    cursor.eachMember(of: whole, but: ["type", "delta", "usage"]) { key, value in
      builder.extra.set(.top, key, value, of: cursor)
    }
  }

  /// Why the model refused is said here, not in the content.
  private func mergeStopDetails(_ details: JSONSlice, into builder: inout GenerationBuilder) {
    builder.extra.set(.top, "stop_details", details, of: cursor)
    guard cursor.text("type", of: details).map({ cursor.matches($0, "refusal") }) ?? false,
      let why = cursor.text("explanation", of: details), builder.single.refusal.count == 0
    else { return }
    builder.single.refusal.append(delta: why, of: cursor)
  }

  // MARK: Blocks

  func startBlock(in builder: inout GenerationBuilder) {
    builder.makeSingle()
    if let block = members.contentBlock { start(block, number: number, in: &builder) }
  }

  private func start(_ block: JSONSlice, number: Int, in builder: inout GenerationBuilder) {
    let type = cursor.text("type", of: block).map { cursor.string($0) } ?? ""
    func text(_ name: StaticString) -> JSONSlice? { cursor.text(name, of: block) }
    var part = OutputPart(kind: .text)
    var read: [StaticString] = ["type"]
    switch type {
    case "text":
      read.append("text")
      if let text = text("text") { append(text, to: &builder) }
    case "thinking":
      read += ["thinking", "signature"]
      if let thinking = text("thinking") { append(thinking: thinking, to: &builder) }
      if let signature = text("signature") { append(signature: signature, of: number, to: &builder) }
    case "redacted_thinking":
      read.append("data")
      if let data = text("data") { builder.single.redactedReasoning.append(data, of: cursor) }
    case "tool_use":
      read += ["id", "name", "input"]
      part.kind = .tool(builder.addTool(id: text("id").map(cursor.string), name: text("name").map(cursor.string)))
      part.input = cursor.member("input", of: block).map { Array(cursor.json($0)) } ?? []
      builder.noteContent(frame: frame)
    default:
      part.kind = .other
      read = []
    }
    // A block that begins again, or behind its pieces.
    if builder.parts[number] != nil { builder.hasMovedPieces = true }
    builder.parts[number] = part
    // Of blocks that are read without a rest, nothing is kept: text and thinking are most of them.
    cursor.eachMember(of: block, but: read) { key, value in
      if value.kind == .array, cursor.raw(value).count <= 2 { return }
      builder.extra.set(.init(kind: .block, choice: number), key, value, of: cursor)
    }
  }

  func stopBlock(in builder: inout GenerationBuilder) { stop(number: number, in: &builder) }

  /// A tool whose input did not come piece by piece has what it began with, mostly `{}`.
  private func stop(number: Int, in builder: inout GenerationBuilder) {
    guard let part = builder.parts[number], case .tool(let place) = part.kind, !part.input.isEmpty else { return }
    builder.single.tools.update(place) { call in
      if call.arguments.isEmpty { call.arguments.append(String(decoding: part.input, as: UTF8.self)) }
    }
  }

  // MARK: Deltas

  func mergeDelta(into builder: inout GenerationBuilder) {
    guard let delta = members.delta else { return }
    builder.makeSingle()
    var isKnown = false
    cursor.eachMember(of: delta) { key, value in
      if value.isNull { return }
      cursor.withName(key) { name in
        switch name {
        case "text" where value.kind == .string: append(value, to: &builder)
        case "thinking" where value.kind == .string: append(thinking: value, to: &builder)
        case "signature" where value.kind == .string: append(signature: value, of: number, to: &builder)
        case "partial_json" where value.kind == .string: append(input: value, to: &builder)
        case "citation":
          builder.extra.append(.init(kind: .block, choice: number), "citations", value, of: cursor)
        default: return
        }
        isKnown = true
      }
    }
    if !isKnown { builder.keep(event: cursor.bytes) }
  }

  private func append(_ text: JSONSlice, to builder: inout GenerationBuilder) {
    builder.append(text, of: cursor, to: .content(choice: 0, isDelta: true))
    if !text.range.isEmpty { builder.noteContent(frame: frame) }
  }

  private func append(thinking: JSONSlice, to builder: inout GenerationBuilder) {
    builder.append(thinking, of: cursor, to: .reasoning(choice: 0))
    if !thinking.range.isEmpty { builder.noteContent(frame: frame) }
  }

  private func append(signature: JSONSlice, of number: Int, to builder: inout GenerationBuilder) {
    guard !signature.range.isEmpty else { return }
    builder.single.reasoningSignature.append(signature, of: cursor)
    // Thinking may come in several blocks, and each has its own.
    builder.extra.set(.init(kind: .block, choice: number), "signature", signature, of: cursor)
  }

  private func append(input: JSONSlice, to builder: inout GenerationBuilder) {
    // A stream whose beginning is missing has tool calls without a name.
    if builder.parts[number] == nil {
      builder.parts[number] = OutputPart(kind: .tool(builder.addTool(id: nil, name: nil)))
    }
    guard let part = builder.parts[number] else { return }
    if case .tool(let place) = part.kind {
      builder.append(input, of: cursor, to: .arguments(choice: 0, call: place))
      builder.noteContent(frame: frame)
    } else {
      builder.parts[number]?.serverInput.append(input, of: cursor)
    }
  }
}
