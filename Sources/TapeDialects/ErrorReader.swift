import TapeJSON

/// The members of a JSON object that an error can be made of. The shapes that are known:
/// `{"error":{"code","message"}}`, `{"code","error":"…","source"}`, `{"message","code"}`,
/// `{"detail":…}`, `{"errors":[…]}`, `{"title","detail"}`.
struct ErrorMembers {
  private var error: JSONSlice?
  private var code: JSONSlice?
  private var message: JSONSlice?
  private var source: JSONSlice?
  private var detail: JSONSlice?
  private var errors: JSONSlice?
  private var title: JSONSlice?
  private var isEmpty = true

  /// Notes a member; false if no error has one of this name.
  mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) -> Bool {
    switch name {
    case "error": error = value
    case "code": code = value
    case "message": message = value
    case "source": source = value
    case "detail": detail = value
    case "errors": errors = value
    case "title": title = value
    default: return false
    }
    isEmpty = false
    return true
  }

  /// The error, if the object is one.
  ///
  /// - Parameter isForced: something else says that it is one (the HTTP status, the event's name): then any
  ///   message will do.
  func read(from cursor: JSONCursor, hasChoices: Bool, isForced: Bool = false, frame: Int?) -> GenerationError? {
    if isEmpty { return nil }
    if let error, says(error) { return read(error: error, from: cursor, frame: frame) }
    let hasCode = code.map { $0.kind == .string || $0.kind == .number } ?? false
    let isPlainError = !hasChoices && hasCode && message?.kind == .string
    guard isPlainError || isForced else { return nil }
    guard let text = [message, detail, errors, title].compactMap({ $0 }).first(where: says) else { return nil }
    return GenerationError(
      message: ErrorMembers.text(text, of: cursor), code: code(code, of: cursor), source: string(source, of: cursor),
      frame: frame)
  }

  private func read(error: JSONSlice, from cursor: JSONCursor, frame: Int?) -> GenerationError {
    let value = cursor.value(error)
    let inner = ["message", "detail", "error", "title", "type"].lazy.compactMap { value[$0] }.first { !$0.isNull }
    let outer = message.flatMap { says($0) ? cursor.value($0) : nil }
    // `{"error":"Bad Request","message":"what was wrong"}` says more in its message.
    let text = error.kind == .object ? inner ?? outer ?? value : outer ?? value
    return GenerationError(
      message: text.string ?? text.compactString,
      code: [value["code"], value["status"]].lazy.compactMap { $0 }.first { ErrorMembers.isCode($0) }
        ?? code(code, of: cursor),
      source: value["source"]?.string ?? string(source, of: cursor), frame: frame)
  }

  /// Keeps as extra what `read` did not use.
  ///
  /// - Parameter isError: the object was read as an error.
  func keepRest(of cursor: JSONCursor, in extra: inout ExtraFields, isError: Bool) throws(JSONError) {
    if isEmpty { return }
    if !isError {
      keep(error, "error", of: cursor, &extra)
      keep(message, "message", of: cursor, &extra)
    }
    if !isError || code.map({ !($0.kind == .string || $0.kind == .number) }) ?? false {
      keep(code, "code", of: cursor, &extra)
    }
    if !isError || source?.kind != .string { keep(source, "source", of: cursor, &extra) }
    keep(detail, "detail", of: cursor, &extra)
    keep(errors, "errors", of: cursor, &extra)
    keep(title, "title", of: cursor, &extra)
    guard isError, let error, error.kind == .object else { return }
    var inner = JSONCursor(cursor.bytes, at: error)
    try inner.members { (key, value) throws(JSONError) in
      let isRead = cursor.withName(key) { name in
        switch name {
        case "message", "code", "source": true
        default: false
        }
      }
      if !isRead { extra.set(.init(kind: .error), key, value, of: cursor) }
    }
  }

  private func keep(_ slice: JSONSlice?, _ name: StaticString, of cursor: JSONCursor, _ extra: inout ExtraFields) {
    if let slice { extra.set(.top, name, slice, of: cursor) }
  }

  /// Not null, false, 0, "", [] or {}.
  private func says(_ slice: JSONSlice) -> Bool {
    switch slice.kind {
    case .string: !slice.range.isEmpty
    case .object, .array: slice.range.count > 2
    case .null, .true, .false, .number: false
    }
  }

  private func string(_ slice: JSONSlice?, of cursor: JSONCursor) -> String? {
    guard let slice, slice.kind == .string, !slice.range.isEmpty else { return nil }
    return cursor.string(slice)
  }

  private func code(_ slice: JSONSlice?, of cursor: JSONCursor) -> JSONValue? {
    guard let slice, slice.kind == .string || slice.kind == .number else { return nil }
    return cursor.value(slice)
  }

  private static func isCode(_ value: JSONValue) -> Bool {
    switch value {
    case .string, .number: true
    default: false
    }
  }

  private static func text(_ slice: JSONSlice, of cursor: JSONCursor) -> String {
    let value = cursor.value(slice)
    if let text = value.string { return text }
    // `[{"message":"…"}]` and FastAPI's `[{"msg":"…"}]`.
    let first = value.array?.first
    return first?["message"]?.string ?? first?["msg"]?.string ?? first?.string ?? value.compactString
  }
}
