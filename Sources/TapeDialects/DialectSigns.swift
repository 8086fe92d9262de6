import TapeJSON

extension Dialect {
  /// The dialect that a chunk (the data of an event, or a whole JSON body) shows by its own members; nil if it could
  /// be anybody's, or is no JSON object.
  init?(shownBy chunk: UnsafeRawBufferPointer) {
    var cursor = JSONCursor(chunk)
    let reader = cursor
    var signs = DialectSigns()
    do throws(JSONError) {
      try cursor.members { (key, value) throws(JSONError) in reader.withName(key) { signs.note($0, value) } }
    } catch {
      return nil
    }
    guard let dialect = signs.dialect(reader) else { return nil }
    self = dialect
  }
}

/// The top-level members of a chunk that tell dialects apart.
private struct DialectSigns {
  var type: JSONSlice?
  var object: JSONSlice?
  var choices: JSONSlice?
  var candidates: JSONSlice?
  var content: JSONSlice?
  var response: JSONSlice?
  var isOrq = false
  var hasMessage = false
  var hasOutput = false
  var hasSequence = false
  var hasGeminiMember = false

  mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) {
    if value.isNull { return }
    switch name {
    case "type": type = value
    case "object": object = value
    case "choices": choices = value
    case "candidates": candidates = value
    case "content": content = value
    case "response": response = value
    case "telemetry", "is_final", "integration_id": isOrq = true
    case "message": hasMessage = value.kind == .object
    case "output": hasOutput = value.kind == .array
    case "sequence_number", "output_index", "item_id": hasSequence = true
    case "usageMetadata", "promptFeedback": hasGeminiMember = value.kind == .object
    default: break
    }
  }

  func dialect(_ cursor: JSONCursor) -> Dialect? {
    if isOrq { return .orq }
    let object = object.flatMap { $0.kind == .string ? cursor.string($0) : nil } ?? ""
    if object.hasPrefix("chat.completion") || object == "text_completion" { return .openAIChat }
    if let choices, choices.kind == .array { return chat(choices, cursor) }
    if candidates?.kind == .array || hasGeminiMember { return .gemini }
    if object == "response", hasOutput { return .openAIResponses }
    guard let type, type.kind == .string else { return isWrappedGemini(cursor) ? .gemini : nil }
    switch cursor.string(type) {
    case "message_start": return hasMessage ? .anthropic : nil
    case "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
      return .anthropic
    case "message": return content?.kind == .array ? .anthropic : nil
    case let name where name.hasPrefix("response."):
      return hasSequence || response?.kind == .object ? .openAIResponses : nil
    default: return nil
    }
  }

  private func chat(_ choices: JSONSlice, _ cursor: JSONCursor) -> Dialect? {
    var found: Dialect?
    cursor.eachElement(of: choices) { _, choice in
      if cursor.member("delta", of: choice) != nil {
        found = .openAIChat
      } else if found == nil, cursor.member("message", of: choice) != nil {
        found = .orq
      }
    }
    return found
  }

  /// Google's Code Assist puts the chunk into `response`.
  private func isWrappedGemini(_ cursor: JSONCursor) -> Bool {
    guard let response, response.kind == .object else { return false }
    return cursor.member("candidates", of: response)?.kind == .array
  }
}

/// Stepping through values that a cursor over the same bytes has checked, so that nothing is thrown.
extension JSONCursor {
  /// Nothing happens if it is no object.
  func eachMember(of slice: JSONSlice, _ body: (_ key: JSONSlice, _ value: JSONSlice) -> Void) {
    guard slice.kind == .object else { return }
    var inner = JSONCursor(bytes, at: slice)
    try? inner.members { (key, value) throws(JSONError) in body(key, value) }
  }

  /// The members but for those of these names: what no rule reads.
  func eachMember(
    of slice: JSONSlice, but read: [StaticString], _ body: (_ key: JSONSlice, _ value: JSONSlice) -> Void
  ) {
    eachMember(of: slice) { key, value in
      if !read.contains(where: { matches(key, $0) }) { body(key, value) }
    }
  }

  /// Nothing happens if it is no array.
  func eachElement(of slice: JSONSlice, _ body: (_ index: Int, _ value: JSONSlice) -> Void) {
    guard slice.kind == .array else { return }
    var inner = JSONCursor(bytes, at: slice)
    try? inner.elements { (index, value) throws(JSONError) in body(index, value) }
  }

  /// The last member of this name; nil for null, and if there is none.
  func member(_ name: StaticString, of slice: JSONSlice) -> JSONSlice? {
    var found: JSONSlice?
    eachMember(of: slice) { key, value in if matches(key, name) { found = value } }
    return found?.isNull == true ? nil : found
  }

  /// A string's slice; nil for values of other kinds.
  func text(_ name: StaticString, of slice: JSONSlice) -> JSONSlice? {
    member(name, of: slice).flatMap { $0.kind == .string ? $0 : nil }
  }

  /// The value's bytes with a string's quotes.
  func json(_ slice: JSONSlice) -> UnsafeRawBufferPointer {
    guard slice.kind == .string else { return raw(slice) }
    return UnsafeRawBufferPointer(rebasing: bytes[slice.range.lowerBound - 1..<slice.range.upperBound + 1])
  }
}
