import TapeJSON

/// Items of the output.
extension ResponsesEvent {
  /// All items of a response: those that are known already are known by their id, or else by their place.
  func mergeOutput(_ output: JSONSlice, isDone: Bool, into builder: inout GenerationBuilder) {
    cursor.eachElement(of: output) { place, item in
      let id = cursor.text("id", of: item).map { Array(cursor.raw($0)) }
      let known = builder.parts.first { id != nil && $0.value.id == id }
      merge(item: item, known?.key ?? place, isDone: isDone, into: &builder)
    }
  }

  func merge(item: JSONSlice, _ number: Int, isDone: Bool, into builder: inout GenerationBuilder) {
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

  func mergePart(_ part: JSONSlice, _ number: Int, _ index: Int, into builder: inout GenerationBuilder) {
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
    cursor.eachMember(of: part, but: ["type", "text", "refusal"]) { key, value in
      if value.kind == .array, cursor.raw(value).count <= 2 { return }
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

  private func keep(_ item: JSONSlice, _ number: Int, but read: [StaticString], in builder: inout GenerationBuilder) {
    cursor.eachMember(of: item, but: read) { key, value in
      builder.extra.replace(.init(kind: .item, choice: number), key, value, of: cursor)
    }
  }
}
