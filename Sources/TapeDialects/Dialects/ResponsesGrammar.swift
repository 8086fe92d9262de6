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
    default: return .each
    }
  }
}

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
      "image_generation_call", "mcp_call", "mcp_call_arguments", "mcp_list_tools",
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
    if status == "failed", builder.error == nil {
      builder.noteError(
        GenerationError(message: "the response failed", frame: frame), kind: .errorFrame, frame: frame)
    }
  }

  // MARK: Items of the output

  /// All items of a response: those that are known already are known by their id, or else by their place.
  private func mergeOutput(_ output: JSONSlice, isDone: Bool, into builder: inout GenerationBuilder) {
    cursor.eachElement(of: output) { place, item in
      let id = cursor.text("id", of: item).map { Array(cursor.raw($0)) }
      let known = builder.parts.first { id != nil && $0.value.id == id }
      merge(item: item, known?.key ?? place, isDone: isDone, into: &builder)
    }
  }

  private func merge(item: JSONSlice, _ number: Int, isDone: Bool, into builder: inout GenerationBuilder) {
    guard item.kind == .object else { return }
    builder.makeSingle()
    let isNew = builder.parts[number] == nil
    switch cursor.text("type", of: item).map({ cursor.string($0) }) {
    case "message":
      if isNew { builder.parts[number] = OutputPart(kind: .text, of: item, cursor) }
      if let role = cursor.text("role", of: item), builder.single.role == nil {
        builder.single.role = cursor.string(role)
      }
      if isDone, let content = cursor.member("content", of: item) {
        cursor.eachElement(of: content) { index, part in mergePart(part, number, index, into: &builder) }
      }
      keep(item, number, but: ["type", "role", "content", "status"], in: &builder)
    case "function_call": mergeCall(item, number, "arguments", isNew: isNew, isDone: isDone, into: &builder)
    case "custom_tool_call": mergeCall(item, number, "input", isNew: isNew, isDone: isDone, into: &builder)
    case "reasoning": mergeReasoning(item, number, isNew: isNew, isDone: isDone, into: &builder)
    case "image_generation_call":
      if isNew { builder.parts[number] = OutputPart(kind: .other, of: item, cursor) }
      if isDone, let image = cursor.text("result", of: item) { add(image: image, of: item, to: &builder) }
      keep(item, number, but: ["result"], in: &builder)
    default:
      if isNew { builder.parts[number] = OutputPart(kind: .other, of: item, cursor) }
      keep(item, number, but: [], in: &builder)
    }
  }

  private func mergePart(_ part: JSONSlice, _ number: Int, _ index: Int, into builder: inout GenerationBuilder) {
    switch cursor.text("type", of: part).map({ cursor.string($0) }) {
    case "output_text", "text":
      if let text = cursor.text("text", of: part) {
        append(text, .output, number, index, isWhole: true, to: &builder)
      }
    case "refusal":
      if let text = cursor.text("refusal", of: part) {
        append(text, .refusal, number, index, isWhole: true, to: &builder)
      }
    case "reasoning_text":
      if let text = cursor.text("text", of: part) {
        append(text, .reasoning, number, index, isWhole: true, to: &builder)
      }
      return
    case "summary_text":
      if let text = cursor.text("text", of: part) {
        append(text, .summary, number, index, isWhole: true, to: &builder)
      }
      return
    default: return builder.extra.set(.init(kind: .item, choice: number), "part", part, of: cursor)
    }
    // What stands beside the text, as annotations and log probabilities, in the last form that it came in.
    cursor.eachMember(of: part) { key, value in
      let isRead = ["type", "text", "refusal"].contains { cursor.string(key) == $0 }
      if isRead || (value.kind == .array && cursor.raw(value).count <= 2) { return }
      builder.extra.replace(.init(kind: .itemPart, choice: number, tool: index), key, value, of: cursor)
    }
  }

  private func mergeCall(
    _ item: JSONSlice, _ number: Int, _ input: StaticString, isNew: Bool, isDone: Bool,
    into builder: inout GenerationBuilder
  ) {
    if isNew {
      builder.parts[number] = OutputPart(kind: .tool(builder.addTool(id: nil, name: nil)), of: item, cursor)
      builder.noteContent(frame: frame)
    }
    guard case .tool(let place) = builder.parts[number]?.kind else { return }
    builder.single.tools.update(place) { call in
      // What a tool's result names: the item's own id is another one.
      if let id = cursor.text("call_id", of: item) { call.id = cursor.string(id) }
      if let name = cursor.text("name", of: item) { call.name = cursor.string(name) }
      if let type = cursor.text("type", of: item) { call.type = cursor.string(type) }
    }
    if let text = cursor.text(input, of: item), isDone || !text.range.isEmpty {
      append(text, .arguments, number, 0, isWhole: true, to: &builder)
    }
    keep(item, number, but: ["type", "call_id", "name", "arguments", "input", "status"], in: &builder)
  }

  private func mergeReasoning(
    _ item: JSONSlice, _ number: Int, isNew: Bool, isDone: Bool, into builder: inout GenerationBuilder
  ) {
    if isNew { builder.parts[number] = OutputPart(kind: .text, of: item, cursor) }
    // As it begins, what is encrypted may not be whole.
    if isDone {
      for name: StaticString in ["summary", "content"] {
        guard let texts = cursor.member(name, of: item) else { continue }
        cursor.eachElement(of: texts) { index, part in mergePart(part, number, index, into: &builder) }
      }
      if let data = cursor.text("encrypted_content", of: item), !data.range.isEmpty {
        builder.single.redactedReasoning.append(data, of: cursor)
      }
    }
    keep(item, number, but: ["type", "summary", "content", "encrypted_content", "status"], in: &builder)
  }

  private func add(image: JSONSlice, of item: JSONSlice, to builder: inout GenerationBuilder) {
    let format = cursor.text("output_format", of: item).map { cursor.string($0) } ?? "png"
    let url = "data:image/\(format == "svg" ? "svg+xml" : format);base64,\(cursor.string(image))"
    guard !builder.single.imageURLs.contains(where: { $0.utf8.elementsEqual(url.utf8) }) else { return }
    builder.single.imageURLs.append(url)
    builder.noteContent(frame: frame)
  }

  private func keep(_ item: JSONSlice, _ number: Int, but read: [String], in builder: inout GenerationBuilder) {
    guard builder.extra.isKept else { return }
    cursor.eachMember(of: item) { key, value in
      if read.contains(cursor.string(key)) { return }
      builder.extra.replace(.init(kind: .item, choice: number), key, value, of: cursor)
    }
  }

  // MARK: Texts

  /// - Parameter isWhole: the text is all of it: nothing new if pieces of it have come.
  private func append(
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

extension GenerationBuilder {
  /// Of a response that is over: one usage for all of it.
  mutating func merge(responsesUsage slice: JSONSlice, of cursor: JSONCursor, frame: Int) {
    guard slice.kind == .object else {
      extra.set(.top, "usage", slice, of: cursor)
      return rejectUsage("usage is no object", frame: frame)
    }
    var found = Usage(frame: frame)
    var problem: String?
    var saysSomething = false
    cursor.eachMember(of: slice) { key, value in
      if value.isNull { return }
      saysSomething = saysSomething || value.kind == .number
      func count(_ name: StaticString) -> Int? { UsageReader.count(value, of: cursor, name, &problem) }
      func detail(_ name: StaticString) -> Int? {
        cursor.member(name, of: value).flatMap { UsageReader.count($0, of: cursor, name, &problem) }
      }
      cursor.withName(key) { name in
        switch name {
        case "input_tokens": found.prompt = count("input_tokens")
        case "output_tokens": found.completion = count("output_tokens")
        case "total_tokens": found.total = count("total_tokens")
        case "input_tokens_details":
          found.cached = detail("cached_tokens")
          extra.replace(.init(kind: .usage), key, value, of: cursor)
        case "output_tokens_details":
          found.reasoning = detail("reasoning_tokens")
          extra.replace(.init(kind: .usage), key, value, of: cursor)
        default: extra.replace(.init(kind: .usage), key, value, of: cursor)
        }
      }
    }
    guard saysSomething else { return }
    take(found, problem: problem)
  }
}
