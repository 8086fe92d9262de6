import TapeJSON

extension GenerationBuilder {
  /// Reads a `usage` object: the last one counts, and replaces all of the one before. One without any count
  /// (`{}`, or all of them null) says nothing, as null does.
  mutating func merge(usage slice: JSONSlice, of cursor: JSONCursor, frame: Int) throws(JSONError) {
    guard slice.kind == .object else {
      extra.set(.top, "usage", slice, of: cursor)
      rejectUsage("usage is no object", frame: frame)
      return
    }
    var found = Usage(frame: frame)
    var problem: String?
    // A details object does not: it only divides counts that stand beside it.
    var saysSomething = false
    var inner = JSONCursor(cursor.bytes, at: slice)
    try inner.members { (key, value) throws(JSONError) in
      saysSomething = saysSomething || value.kind == .number
      if cursor.matches(key, "prompt_tokens") {
        found.prompt = UsageReader.count(value, of: cursor, "prompt_tokens", &problem)
      } else if cursor.matches(key, "completion_tokens") {
        found.completion = UsageReader.count(value, of: cursor, "completion_tokens", &problem)
      } else if cursor.matches(key, "total_tokens") {
        found.total = UsageReader.count(value, of: cursor, "total_tokens", &problem)
      } else if cursor.matches(key, "prompt_tokens_details"), value.kind == .object {
        let scope = ExtraFields.Scope(kind: .promptDetails)
        found.cached = try detail(value, of: cursor, "cached_tokens", scope, &problem)
      } else if cursor.matches(key, "completion_tokens_details"), value.kind == .object {
        let scope = ExtraFields.Scope(kind: .completionDetails)
        found.reasoning = try detail(value, of: cursor, "reasoning_tokens", scope, &problem)
      } else {
        extra.set(.init(kind: .usage), key, value, of: cursor)
      }
    }
    if problem == nil, !saysSomething { return }
    take(found, problem: problem)
  }

  /// Reads one count of a details object; its other fields are kept.
  private mutating func detail(
    _ slice: JSONSlice, of cursor: JSONCursor, _ name: StaticString, _ scope: ExtraFields.Scope,
    _ problem: inout String?
  ) throws(JSONError) -> Int? {
    var found: Int?
    var inner = JSONCursor(cursor.bytes, at: slice)
    try inner.members { (key, value) throws(JSONError) in
      if cursor.matches(key, name) {
        found = UsageReader.count(value, of: cursor, name, &problem)
      } else {
        extra.set(scope, key, value, of: cursor)
      }
    }
    return found
  }

  /// The counts of a usage object that says something, or what is wrong with one of them.
  mutating func take(_ found: Usage, problem: String?) {
    if let problem { return rejectUsage(problem, frame: found.frame) }
    guard found.prompt != nil || found.completion != nil || found.total != nil else {
      usage = nil
      usageUnknownReason = "usage has none of the counts prompt, completion and total"
      return
    }
    usage = found
    usageUnknownReason = nil
    usage?.contradiction = UsageReader.contradiction(found)
    if let contradiction = usage?.contradiction { defects.add(.badUsage, frame: found.frame, contradiction) }
  }

  mutating func rejectUsage(_ problem: String, frame: Int) {
    usage = nil
    usageUnknownReason = problem
    defects.add(.badUsage, frame: frame, problem)
  }
}

enum UsageReader {
  /// A token count; nil for null. Anything but a whole number from 0 up is a problem.
  static func count(
    _ slice: JSONSlice, of cursor: JSONCursor, _ name: StaticString, _ problem: inout String?
  ) -> Int? {
    if slice.isNull { return nil }
    let text = String(decoding: cursor.raw(slice).prefix(40), as: UTF8.self)
    guard let number = cursor.integer(slice) else {
      problem = "\(name) is \(text), not a whole number"
      return nil
    }
    guard number >= 0 else {
      problem = "\(name) is negative: \(text)"
      return nil
    }
    return number
  }

  /// What cannot be true of counts that each are possible; nil if nothing.
  static func contradiction(_ usage: Usage) -> String? {
    if let cached = usage.cached, let prompt = usage.prompt, cached > prompt {
      return "cached tokens (\(cached)) are more than prompt tokens (\(prompt))"
    }
    guard let reasoning = usage.reasoning, let completion = usage.completion, reasoning > completion else { return nil }
    // Some providers count reasoning beside completion; then their total says so.
    if let total = usage.total, total == sum(usage.prompt ?? 0, completion, reasoning) { return nil }
    return "reasoning tokens (\(reasoning)) are more than completion tokens (\(completion))"
  }

  /// nil if it is too large.
  static func sum(_ numbers: Int...) -> Int? {
    var result = 0
    for number in numbers {
      let (sum, overflow) = result.addingReportingOverflow(number)
      if overflow { return nil }
      result = sum
    }
    return result
  }
}
