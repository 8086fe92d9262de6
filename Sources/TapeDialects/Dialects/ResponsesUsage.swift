import TapeJSON

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

extension JSONCursor {
  /// Whether a usage has the names of the Responses API alone, as those of OpenAI's images and transcriptions do.
  func hasResponsesCounts(_ usage: JSONSlice) -> Bool {
    (member("input_tokens", of: usage) ?? member("output_tokens", of: usage)) != nil
      && (member("prompt_tokens", of: usage) ?? member("completion_tokens", of: usage)) == nil
  }
}
