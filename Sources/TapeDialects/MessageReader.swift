import TapeJSON

/// Reads one choice's message, or the part of it that a chunk brings, into the choice.
/// null adds and erases nothing; of duplicate keys the last counts.
struct MessageReader {
  let cursor: JSONCursor
  let frame: Int
  /// The chunk says `is_final`.
  let isFinal: Bool
  /// Where the choice is in the builder.
  let place: Int
  /// The choice's number.
  let choice: Int
  /// The object is a `delta`, not a `message`.
  let inDelta: Bool

  struct Members {
    var type: JSONSlice?
    var role: JSONSlice?
    var content: JSONSlice?
    var toolCalls: JSONSlice?
    /// What there was before `tool_calls`: one call at the most.
    var functionCall: JSONSlice?
    var url: JSONSlice?
    var reasoning: JSONSlice?
    var reasoningSignature: JSONSlice?
    var redactedReasoning: JSONSlice?
    var refusal: JSONSlice?
    var audio: JSONSlice?
    var hasOther = false

    /// False if the name has no meaning here.
    mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) -> Bool {
      switch name {
      case "content": content = value
      case "type": type = value
      case "role": role = value
      case "tool_calls": toolCalls = value
      case "function_call": functionCall = value
      case "url": url = value
      // OpenAI-compatible providers say reasoning_content.
      case "reasoning", "reasoning_content": reasoning = value
      case "reasoning_signature": reasoningSignature = value
      case "redacted_reasoning": redactedReasoning = value
      case "refusal": refusal = value
      case "audio": audio = value
      default: return false
      }
      return true
    }
  }

  private var scope: ExtraFields.Scope { .init(kind: inDelta ? .delta : .message, choice: choice) }

  func merge(_ message: JSONSlice, into builder: inout GenerationBuilder) throws(JSONError) {
    guard message.kind == .object else {
      let scope = ExtraFields.Scope(kind: .choice, choice: choice)
      builder.extra.set(scope, inDelta ? "delta" : "message", message, of: cursor)
      return
    }
    var members = Members()
    var inner = JSONCursor(cursor.bytes, at: message)
    try inner.members { (key, value) throws(JSONError) in
      if value.isNull { return }
      if !cursor.withName(key, { members.note($0, value) }) { members.hasOther = true }
    }
    mergeTexts(members, into: &builder)
    if let content = members.content { try merge(content: content, into: &builder) }
    if let audio = members.audio { merge(audio: audio, into: &builder) }
    if let calls = members.toolCalls { try merge(toolCalls: calls, into: &builder) }
    if let call = members.functionCall { try merge(functionCall: call, into: &builder) }
    if members.hasOther { try keepOther(of: message, in: &builder) }
  }

  private func keepOther(of message: JSONSlice, in builder: inout GenerationBuilder) throws(JSONError) {
    var inner = JSONCursor(cursor.bytes, at: message)
    var unused = Members()
    try inner.members { (key, value) throws(JSONError) in
      if !cursor.withName(key, { unused.note($0, value) }) { builder.extra.set(scope, key, value, of: cursor) }
    }
  }

  private func mergeTexts(_ members: Members, into builder: inout GenerationBuilder) {
    if let type = string(members.type, "type", &builder) {
      builder.choices.builders[place].note(type: type, of: cursor)
    }
    if let role = string(members.role, "role", &builder), builder.choices.builders[place].role == nil {
      builder.choices.builders[place].role = cursor.string(role)
    }
    if let reasoning = string(members.reasoning, "reasoning", &builder) {
      builder.append(reasoning, of: cursor, to: .reasoning(choice: place))
      if !reasoning.range.isEmpty { builder.noteContent(frame: frame) }
    }
    if let refusal = string(members.refusal, "refusal", &builder) {
      builder.append(refusal, of: cursor, to: .refusal(choice: place), isFinal: isFinal)
      if !refusal.range.isEmpty { builder.noteContent(frame: frame) }
    }
    if let signature = string(members.reasoningSignature, "reasoning_signature", &builder) {
      builder.choices.builders[place].reasoningSignature.append(signature, of: cursor)
    }
    if let redacted = string(members.redactedReasoning, "redacted_reasoning", &builder) {
      builder.choices.builders[place].redactedReasoning.append(redacted, of: cursor)
    }
    if let url = string(members.url, "url", &builder) { add(imageURL: cursor.string(url), to: &builder) }
  }

  /// The slice if it is a string; a value of another kind is kept as extra.
  private func string(
    _ slice: JSONSlice?, _ name: StaticString, _ builder: inout GenerationBuilder
  ) -> JSONSlice? {
    guard let slice else { return nil }
    if slice.kind == .string { return slice }
    builder.extra.set(scope, name, slice, of: cursor)
    return nil
  }

  private func add(imageURL url: String, to builder: inout GenerationBuilder) {
    builder.noteContent(frame: frame)
    let isKnown = builder.choices.builders[place].imageURLs.contains { $0.utf8.elementsEqual(url.utf8) }
    if !isKnown, !url.isEmpty { builder.choices.builders[place].imageURLs.append(url) }
  }

  // MARK: Content

  /// `text` of the old completions endpoint, or a message's content.
  func merge(content: JSONSlice, into builder: inout GenerationBuilder) throws(JSONError) {
    switch content.kind {
    case .null: break
    case .string:
      builder.append(content, of: cursor, to: .content(choice: place), isFinal: isFinal)
      if !content.range.isEmpty { builder.noteContent(frame: frame) }
    case .array:
      // Parts: their texts are the content; the parts themselves are kept too.
      builder.extra.set(scope, "content", content, of: cursor)
      var inner = JSONCursor(cursor.bytes, at: content)
      try inner.elements { (_, part) throws(JSONError) in
        if part.kind == .object { try merge(part: part, into: &builder) }
      }
    default: builder.extra.set(scope, "content", content, of: cursor)
    }
  }

  private func merge(part: JSONSlice, into builder: inout GenerationBuilder) throws(JSONError) {
    var inner = JSONCursor(cursor.bytes, at: part)
    var text: JSONSlice?
    var thinking: JSONSlice?
    var image: JSONSlice?
    var refusal: JSONSlice?
    try inner.members { (key, value) throws(JSONError) in
      cursor.withName(key) { name in
        switch name {
        case "text": text = value
        case "thinking": thinking = value
        case "image_url": image = value
        case "refusal": refusal = value
        default: break
        }
      }
    }
    if let text, text.kind == .string {
      builder.append(text, of: cursor, to: .content(choice: place))
      builder.noteContent(frame: frame)
    }
    // Mistral's: a list of texts.
    if let thinking {
      cursor.eachElement(of: thinking) { _, part in
        guard let text = cursor.text("text", of: part) else { return }
        builder.append(text, of: cursor, to: .reasoning(choice: place))
        builder.noteContent(frame: frame)
      }
    }
    if let refusal, refusal.kind == .string {
      builder.append(refusal, of: cursor, to: .refusal(choice: place))
      builder.noteContent(frame: frame)
    }
    if let image {
      let value = cursor.value(image)
      if let url = value.string ?? value["url"]?.string { add(imageURL: url, to: &builder) }
    }
  }

  /// Audio of an answer: its transcript is read, the rest is kept.
  private func merge(audio: JSONSlice, into builder: inout GenerationBuilder) {
    guard audio.kind == .object else { return builder.extra.set(scope, "audio", audio, of: cursor) }
    let scope = ExtraFields.Scope(kind: .audio, choice: choice, inDelta: inDelta)
    cursor.eachMember(of: audio) { key, value in
      guard cursor.matches(key, "transcript"), value.kind == .string else {
        return builder.extra.set(scope, key, value, of: cursor)
      }
      builder.choices.builders[place].isTranscriptInDelta = inDelta
      builder.append(value, of: cursor, to: .transcript(choice: place))
      if !value.range.isEmpty { builder.noteContent(frame: frame) }
    }
  }

  // MARK: Tool calls

  private func merge(toolCalls: JSONSlice, into builder: inout GenerationBuilder) throws(JSONError) {
    guard toolCalls.kind == .array else { return builder.extra.set(scope, "tool_calls", toolCalls, of: cursor) }
    var inner = JSONCursor(cursor.bytes, at: toolCalls)
    try inner.elements { (position, fragment) throws(JSONError) in
      if fragment.kind == .object { return try merge(fragment: fragment, position: position, into: &builder) }
      let scope = ExtraFields.Scope(kind: .toolCall, choice: choice, tool: position, inDelta: inDelta)
      builder.extra.set(scope, "value", fragment, of: cursor)
    }
  }

  private func merge(functionCall call: JSONSlice, into builder: inout GenerationBuilder) throws(JSONError) {
    if call.isNull { return }
    guard call.kind == .object else { return builder.extra.set(scope, "function_call", call, of: cursor) }
    let tool = builder.choices.builders[place].tools.place(index: nil, id: nil, position: 0)
    let number = builder.choices.builders[place].tools.calls[tool].index
    try merge(function: call, call: tool, number: number, into: &builder)
    builder.noteContent(frame: frame)
  }

  private func merge(
    fragment: JSONSlice, position: Int, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    var (index, id, type, function, signature): (JSONSlice?, JSONSlice?, JSONSlice?, JSONSlice?, JSONSlice?)
    var other: [(JSONSlice, JSONSlice)] = []
    var inner = JSONCursor(cursor.bytes, at: fragment)
    try inner.members { (key, value) throws(JSONError) in
      if value.isNull { return }
      cursor.withName(key) { name in
        switch name {
        case "index": index = value
        case "id" where value.kind == .string: id = value
        case "type" where value.kind == .string: type = value
        // A tool of the caller's own grammar has its name and input here.
        case "function" where value.kind == .object, "custom" where value.kind == .object: function = value
        case "thought_signature" where value.kind == .string: signature = value
        default: other.append((key, value))
        }
      }
    }
    let named = index.flatMap { cursor.integer($0) }.flatMap { $0 >= 0 ? $0 : nil }
    let idText = id.map { cursor.string($0) }.flatMap { $0.isEmpty ? nil : $0 }
    let isNamed = function.flatMap { cursor.text("name", of: $0) }.map { !$0.range.isEmpty } ?? false
    let call = builder.choices.builders[place].tools.place(
      index: named, id: idText, isNamed: isNamed, position: position)
    if builder.choices.builders[place].tools.hasSharedIndex { builder.hasMovedPieces = true }
    let number = builder.choices.builders[place].tools.calls[call].index
    builder.choices.builders[place].tools.update(call) { call in
      if let idText { call.id = idText }
      if let type { call.type = cursor.string(type) }
      if let signature { call.thoughtSignature.append(signature, of: cursor) }
    }
    let scope = ExtraFields.Scope(kind: .toolCall, choice: choice, tool: number, inDelta: inDelta)
    for (key, value) in other { builder.extra.set(scope, key, value, of: cursor) }
    if named == nil, let index { builder.extra.set(scope, "index", index, of: cursor) }
    if let function { try merge(function: function, call: call, number: number, into: &builder) }
    builder.noteContent(frame: frame)
  }

  private func merge(
    function: JSONSlice, call: Int, number: Int, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    let scope = ExtraFields.Scope(kind: .function, choice: choice, tool: number, inDelta: inDelta)
    var (name, arguments, signature): (JSONSlice?, JSONSlice?, JSONSlice?)
    var inner = JSONCursor(cursor.bytes, at: function)
    try inner.members { (key, value) throws(JSONError) in
      if value.isNull { return }
      let isKnown = cursor.withName(key) { keyName in
        switch keyName {
        case "name" where value.kind == .string: name = value
        case "arguments", "input": arguments = value
        case "thought_signature" where value.kind == .string: signature = value
        default: return false
        }
        return true
      }
      if !isKnown { builder.extra.set(scope, key, value, of: cursor) }
    }
    builder.choices.builders[place].tools.update(call) { call in
      // A later fragment's empty name does not overwrite.
      if let name, !name.range.isEmpty { call.name = cursor.string(name) }
      if let signature { call.thoughtSignature.append(signature, of: cursor) }
      // Some providers send the object itself.
      if let arguments, arguments.kind != .string {
        call.arguments.append(String(decoding: cursor.raw(arguments), as: UTF8.self))
      }
    }
    if let arguments, arguments.kind == .string {
      builder.append(arguments, of: cursor, to: .arguments(choice: place, call: call))
    }
  }
}

extension WTF8Text? {
  /// Appends; the first piece, also an empty one, makes the text.
  mutating func append(_ slice: JSONSlice, of cursor: JSONCursor) {
    if self == nil { self = WTF8Text() }
    self?.append(slice, of: cursor)
  }
}
