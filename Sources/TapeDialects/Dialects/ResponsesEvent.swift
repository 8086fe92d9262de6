import TapeJSON

/// One event, and what it does.
struct ResponsesEvent {
  let cursor: JSONCursor
  let members: ResponsesGrammar.Members
  let whole: JSONSlice
  let frame: Int

  /// The texts that come piece by piece.
  enum Text: Int {
    case output, refusal, summary, reasoning, arguments

    init?(deltaOf type: String) {
      guard type.hasSuffix(".delta") else { return nil }
      self.init(type.dropLast(6))
    }

    init?(wholeOf type: String) {
      guard type.hasSuffix(".done") else { return nil }
      self.init(type.dropLast(5))
    }

    private init?(_ name: Substring) {
      switch name {
      case "response.output_text": self = .output
      case "response.refusal": self = .refusal
      case "response.reasoning_summary_text": self = .summary
      case "response.reasoning_text": self = .reasoning
      case "response.function_call_arguments", "response.custom_tool_call_input": self = .arguments
      default: return nil
      }
    }

    /// What `OutputPart.streamed` has for it.
    func key(_ part: Int) -> Int { part &* 8 &+ rawValue }
  }

  private var number: Int { members.outputIndex.flatMap { cursor.integer($0) } ?? 0 }
  private var partNumber: Int { members.partIndex.flatMap { cursor.integer($0) } ?? 0 }

  /// False if nobody knows what the event means.
  func merge(_ type: String, into builder: inout GenerationBuilder) -> Bool {
    if let text = Text(deltaOf: type) {
      if let delta = members.delta, delta.kind == .string {
        append(delta, text, number, partNumber, isWhole: false, to: &builder)
      }
      // Those of the whole text take their place.
      if let logprobs = members.logprobs {
        let scope = ExtraFields.Scope(kind: .itemPart, choice: number, tool: partNumber)
        cursor.eachElement(of: logprobs) { builder.extra.append(scope, "logprobs", $1, of: cursor) }
      }
      for value in [members.sequence, members.obfuscation] { if let value { builder.extra.noteUnread(value) } }
      return true
    }
    if let text = Text(wholeOf: type) {
      if let whole = members.text, whole.kind == .string {
        append(whole, text, number, partNumber, isWhole: true, to: &builder)
      }
      return true
    }
    switch type {
    case "response.created", "response.in_progress", "response.queued":
      if let response = members.response { mergeResponse(response, isEnd: false, into: &builder) }
    case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
      if let response = members.response { mergeResponse(response, isEnd: true, into: &builder) }
      if type == "response.cancelled" { builder.isCancelled = true }
      builder.isFinal = true
    case "response.output_item.added", "response.output_item.done":
      guard let item = members.item, item.kind == .object else { return false }
      merge(item: item, number, isDone: type.hasSuffix("done"), into: &builder)
    case "response.content_part.added", "response.content_part.done":
      if type.hasSuffix("done"), let part = members.part {
        mergePart(part, number, partNumber, into: &builder)
      }
    case "response.output_text.annotation.added":
      guard let annotation = members.annotation else { return false }
      let scope = ExtraFields.Scope(kind: .itemPart, choice: number, tool: partNumber)
      builder.extra.append(scope, "annotations", annotation, of: cursor)
    case let name where Self.isProgress(name): break
    default: return false
    }
    return true
  }

  /// Events that say how a server's tool gets on: what came of it is in its item.
  private static func isProgress(_ type: String) -> Bool {
    if type.hasPrefix("response.reasoning_summary_part.") { return true }
    let tools = [
      "web_search_call", "file_search_call", "code_interpreter_call", "code_interpreter_call_code",
      "image_generation_call", "mcp_call", "mcp_call_arguments", "mcp_list_tools", "shell_call_command",
      "shell_call_output_content", "compaction",
    ]
    return tools.contains { type.hasPrefix("response.\($0).") }
  }

  func noteError(in builder: inout GenerationBuilder) {
    let error = members.error.flatMap { $0.kind == .object ? $0 : nil } ?? whole
    note(error: error, in: &builder)
  }

  private func note(error: JSONSlice, in builder: inout GenerationBuilder) {
    let value = cursor.value(error)
    let code = value["code"].flatMap { $0.isNull ? nil : $0 }
    builder.noteError(
      GenerationError(message: value["message"]?.string ?? value.compactString, code: code, frame: frame),
      kind: .errorFrame, frame: frame)
    for (name, value) in (value.members ?? []).map({ ($0.key, $0.value) }) where !value.isNull {
      if name == "param" { builder.extra.set(.init(kind: .error), "param", json: value.compact) }
      if name == "type", members.error != nil {
        builder.extra.set(.init(kind: .error), "type", json: value.compact)
      }
    }
  }

  // MARK: The response

  /// - Parameter isEnd: nothing more comes of it.
  func mergeResponse(_ response: JSONSlice, isEnd: Bool, into builder: inout GenerationBuilder) {
    let status = cursor.text("status", of: response).map { cursor.string($0) }
    let isOver = isEnd && status != "in_progress" && status != "queued"
    if isOver { builder.makeSingle() }
    cursor.eachMember(of: response) { key, value in
      if value.isNull { return }
      cursor.withName(key) { name in
        switch name {
        case "id": builder.setFirst(\.responseID, value, of: cursor)
        case "object": builder.setFirst(\.object, value, of: cursor)
        case "created_at": builder.setFirst(\.created, value, of: cursor)
        case "completed_at": if builder.finalized == nil { builder.setFirst(\.finalized, value, of: cursor) }
        case "model": builder.note(model: value, of: cursor, frame: frame)
        case "output": mergeOutput(value, isDone: isOver, into: &builder)
        case "usage": builder.merge(responsesUsage: value, of: cursor, frame: frame)
        case "error": if value.kind == .object { note(error: value, in: &builder) }
        default: builder.extra.replace(.top, key, value, of: cursor)
        }
      }
    }
    guard isOver else { return }
    let why = cursor.member("incomplete_details", of: response).flatMap { cursor.text("reason", of: $0) }
    builder.single.finishReason = why.map { cursor.string($0) } ?? status
    builder.single.role = builder.single.role ?? "assistant"
    if status == "cancelled" { builder.isCancelled = true }
    if status == "failed", builder.error == nil {
      builder.noteError(
        GenerationError(message: "the response failed", frame: frame), kind: .errorFrame, frame: frame)
    }
  }

  // MARK: Texts

  /// - Parameter isWhole: the text is all of it: nothing new if pieces of it have come.
  func append(
    _ slice: JSONSlice, _ text: Text, _ number: Int, _ part: Int, isWhole: Bool, to builder: inout GenerationBuilder
  ) {
    builder.makeSingle()
    let key = text.key(text == .arguments ? 0 : part)
    if builder.parts[number] == nil {
      // The item's own event is missing.
      builder.parts[number] = OutputPart(
        kind: text == .arguments ? .tool(builder.addTool(id: nil, name: nil)) : .text)
    }
    if isWhole, builder.parts[number]?.streamed.contains(key) == true { return }
    // An empty text may be all of it only in an item that is done.
    if !isWhole || !slice.range.isEmpty { builder.parts[number]?.streamed.insert(key) }
    switch text {
    case .output: builder.append(slice, of: cursor, to: .content(choice: 0, isDelta: true))
    case .refusal: builder.append(slice, of: cursor, to: .refusal(choice: 0, isDelta: true))
    case .summary, .reasoning: builder.append(slice, of: cursor, to: .reasoning(choice: 0))
    case .arguments:
      guard case .tool(let place) = builder.parts[number]?.kind else { return }
      builder.append(slice, of: cursor, to: .arguments(choice: 0, call: place))
    }
    if !slice.range.isEmpty { builder.noteContent(frame: frame) }
  }
}
