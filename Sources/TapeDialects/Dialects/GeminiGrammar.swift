import TapeJSON

/// Google's Gemini API: chunks of `streamGenerateContent`, and the whole answers of `generateContent`.
///
/// Source: <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>.
enum GeminiGrammar: ChunkGrammar {
  static func merge(
    _ chunk: UnsafeRawBufferPointer, frame: Int, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    var cursor = JSONCursor(chunk)
    let reader = cursor
    // Checked first, so that nothing is merged in part.
    try cursor.members { (_, _) throws(JSONError) in }
    try cursor.expectEnd()
    let whole = JSONSlice(kind: .object, range: 0..<chunk.count)
    let reading = GeminiChunk(cursor: reader, frame: frame)
    if reader.member("candidates", of: whole) == nil, let inner = reader.member("response", of: whole),
      inner.kind == .object
    {
      // Google's Code Assist puts the chunk into `response`.
      reading.merge(inner, into: &builder)
      reader.eachMember(of: whole, but: ["response"]) { key, value in
        builder.extra.set(.top, key, value, of: reader)
      }
    } else {
      reading.merge(whole, into: &builder)
    }
  }

  /// The counts of the usage grow from chunk to chunk, and the same field has thoughts and text: frames are asked.
  static func fate(ofPath path: String) -> FieldFate { .each }
}

/// One chunk, and what it does.
private struct GeminiChunk {
  let cursor: JSONCursor
  let frame: Int

  func merge(_ chunk: JSONSlice, into builder: inout GenerationBuilder) {
    cursor.eachMember(of: chunk) { key, value in
      if value.isNull { return }
      cursor.withName(key) { name in
        switch name {
        case "responseId": builder.setFirst(\.responseID, value, of: cursor)
        case "modelVersion": builder.note(model: value, of: cursor, frame: frame)
        case "createTime": builder.setFirst(\.created, value, of: cursor)
        case "candidates": mergeCandidates(value, into: &builder)
        case "usageMetadata": builder.merge(geminiUsage: value, of: cursor, frame: frame)
        case "promptFeedback": noteFeedback(value, in: &builder)
        case "error": noteError(value, in: &builder)
        default: builder.extra.set(.top, key, value, of: cursor)
        }
      }
    }
    builder.isFinal =
      !builder.choices.builders.isEmpty && builder.choices.builders.allSatisfy { $0.finishReason != nil }
  }

  private func noteError(_ error: JSONSlice, in builder: inout GenerationBuilder) {
    let value = cursor.value(error)
    let code = [value["code"], value["status"]].lazy.compactMap { $0 }.first { !$0.isNull }
    builder.noteError(
      GenerationError(
        message: value["message"]?.string ?? value["status"]?.string ?? value.compactString, code: code, frame: frame),
      kind: .errorFrame, frame: frame)
    cursor.eachMember(of: error, but: ["message", "code"]) { key, value in
      builder.extra.set(.init(kind: .error), key, value, of: cursor)
    }
  }

  /// A prompt that is blocked has no candidates: nothing is generated.
  private func noteFeedback(_ feedback: JSONSlice, in builder: inout GenerationBuilder) {
    builder.extra.set(.top, "promptFeedback", feedback, of: cursor)
    guard let reason = cursor.text("blockReason", of: feedback).map({ cursor.string($0) }),
      reason != "BLOCK_REASON_UNSPECIFIED", builder.error == nil
    else { return }
    let message = cursor.text("blockReasonMessage", of: feedback).map { cursor.string($0) }
    builder.noteError(
      GenerationError(
        message: message ?? "the prompt was blocked: \(reason)", code: .string(reason), frame: frame),
      kind: .errorFrame, frame: frame)
  }

  // MARK: Candidates

  private func mergeCandidates(_ candidates: JSONSlice, into builder: inout GenerationBuilder) {
    cursor.eachElement(of: candidates) { position, candidate in
      guard candidate.kind == .object else { return }
      let named = cursor.member("index", of: candidate).flatMap { cursor.integer($0) }.flatMap { $0 >= 0 ? $0 : nil }
      merge(candidate, number: named ?? position, into: &builder)
    }
  }

  private func merge(_ candidate: JSONSlice, number: Int, into builder: inout GenerationBuilder) {
    let place = builder.choices.place(number)
    let scope = ExtraFields.Scope(kind: .candidate, choice: number)
    cursor.eachMember(of: candidate) { key, value in
      if value.isNull { return }
      cursor.withName(key) { name in
        switch name {
        case "index": break
        case "finishReason" where value.kind == .string:
          // Some chunks say that nothing is said.
          if !cursor.matches(value, "FINISH_REASON_UNSPECIFIED"), !value.range.isEmpty {
            builder.choices.builders[place].finishReason = cursor.string(value)
          }
        case "content" where value.kind == .object:
          if let role = cursor.text("role", of: value), builder.choices.builders[place].role == nil {
            builder.choices.builders[place].role = cursor.string(role)
          }
          if let parts = cursor.member("parts", of: value) {
            cursor.eachElement(of: parts) { _, part in merge(part: part, place, scope, into: &builder) }
          }
        default: builder.extra.set(scope, key, value, of: cursor)
        }
      }
    }
  }

  private func merge(part: JSONSlice, _ place: Int, _ scope: ExtraFields.Scope, into builder: inout GenerationBuilder) {
    let signature = cursor.text("thoughtSignature", of: part).flatMap { $0.range.isEmpty ? nil : $0 }
    if let call = cursor.member("functionCall", of: part), call.kind == .object {
      return merge(call: call, signature: signature, place, into: &builder)
    }
    if let signature { builder.choices.builders[place].reasoningSignature.append(signature, of: cursor) }
    if let text = cursor.text("text", of: part) {
      if cursor.member("thought", of: part)?.kind == .true {
        builder.append(text, of: cursor, to: .reasoning(choice: place))
      } else {
        builder.append(text, of: cursor, to: .content(choice: place, isDelta: true))
      }
      if !text.range.isEmpty { builder.noteContent(frame: frame) }
    } else if let url = image(part) {
      builder.noteContent(frame: frame)
      builder.choices.builders[place].imageURLs.append(url)
    } else if cursor.raw(part).count > 2, signature == nil || cursor.value(part).members?.count ?? 0 > 1 {
      // Code that the model ran, its output, sounds, files, and what is new.
      builder.extra.append(scope, "parts", part, of: cursor)
    }
  }

  private func merge(
    call: JSONSlice, signature: JSONSlice?, _ place: Int, into builder: inout GenerationBuilder
  ) {
    let tool = tool(of: call, place, in: &builder)
    builder.choices.builders[place].tools.update(tool) { made in
      made.id = cursor.text("id", of: call).map { cursor.string($0) } ?? made.id
      made.name = cursor.text("name", of: call).map { cursor.string($0) } ?? made.name
      if let parts = cursor.member("partialArgs", of: call) {
        var partial = made.partial ?? PartialArguments()
        made.partial = nil
        cursor.eachElement(of: parts) { partial.add($1, of: cursor) }
        made.partial = partial
      }
      if let args = cursor.member("args", of: call) {
        made.arguments.append(String(decoding: cursor.json(args), as: UTF8.self))
      }
      if let signature { made.thoughtSignature.append(signature, of: cursor) }
    }
    let scope = ExtraFields.Scope(kind: .function, choice: builder.choices.builders[place].index, tool: tool)
    cursor.eachMember(of: call, but: ["id", "name", "args", "partialArgs", "willContinue"]) { key, value in
      builder.extra.set(scope, key, value, of: cursor)
    }
    builder.noteContent(frame: frame)
  }

  /// Where the call is among the choice's: a new one, unless the call before said that it goes on.
  private func tool(of call: JSONSlice, _ place: Int, in builder: inout GenerationBuilder) -> Int {
    let isNamed = cursor.text("name", of: call) != nil
    var tool = builder.choices.builders[place].tools.calls.count
    if case .tool(let open)? = builder.parts[place]?.kind, !isNamed {
      tool = open
    } else {
      tool = builder.choices.builders[place].tools.place(index: tool, id: nil, position: tool)
    }
    let goesOn = cursor.member("willContinue", of: call)?.kind == .true
    builder.parts[place] = goesOn ? OutputPart(kind: .tool(tool)) : nil
    return tool
  }

  /// The URL of an image that is in the answer, or that it names.
  private func image(_ part: JSONSlice) -> String? {
    if let inline = cursor.member("inlineData", of: part), let type = cursor.text("mimeType", of: inline),
      let data = cursor.text("data", of: inline), cursor.string(type).hasPrefix("image/")
    {
      return "data:\(cursor.string(type));base64,\(cursor.string(data))"
    }
    guard let file = cursor.member("fileData", of: part), let type = cursor.text("mimeType", of: file),
      cursor.string(type).hasPrefix("image/")
    else { return nil }
    return cursor.text("fileUri", of: file).map { cursor.string($0) }
  }
}

extension GenerationBuilder {
  /// Each chunk's counts are those of all so far: the last ones count.
  mutating func merge(geminiUsage slice: JSONSlice, of cursor: JSONCursor, frame: Int) {
    guard slice.kind == .object else {
      extra.set(.top, "usageMetadata", slice, of: cursor)
      return rejectUsage("usageMetadata is no object", frame: frame)
    }
    var problem: String?
    var (prompt, tools, candidates, thoughts, cached, total): (Int?, Int?, Int?, Int?, Int?, Int?)
    cursor.eachMember(of: slice) { key, value in
      if value.isNull { return }
      func count(_ name: StaticString) -> Int? { UsageReader.count(value, of: cursor, name, &problem) }
      cursor.withName(key) { name in
        switch name {
        case "promptTokenCount": prompt = count("promptTokenCount")
        case "candidatesTokenCount": candidates = count("candidatesTokenCount")
        case "thoughtsTokenCount": thoughts = count("thoughtsTokenCount")
        case "cachedContentTokenCount": cached = count("cachedContentTokenCount")
        case "totalTokenCount": total = count("totalTokenCount")
        case "toolUsePromptTokenCount":
          tools = count("toolUsePromptTokenCount")
          extra.replace(.init(kind: .usage), key, value, of: cursor)
        default: extra.replace(.init(kind: .usage), key, value, of: cursor)
        }
      }
    }
    if problem == nil, prompt == nil, candidates == nil, thoughts == nil, total == nil { return }
    // What tools brought in is billed as input. Thoughts are not among the candidates' tokens.
    let input = prompt.flatMap { UsageReader.sum($0, tools ?? 0) }
    var output = candidates == nil && thoughts == nil ? nil : UsageReader.sum(candidates ?? 0, thoughts ?? 0)
    // Counts that are 0 are left out.
    if output == nil, let input, total == input { output = 0 }
    take(
      Usage(prompt: input, completion: output, total: total, cached: cached, reasoning: thoughts, frame: frame),
      problem: problem)
  }
}
