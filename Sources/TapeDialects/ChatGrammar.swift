import TapeJSON

/// Chunks and whole bodies with `choices`: orq.ai deployments (`choices[].message`) and
/// OpenAI-compatible chat completions (`choices[].delta`, `choices[].message`, `choices[].text`).
///
/// A chunk without choices is merged too: usage and telemetry count wherever they come, the rest is kept as extra.
enum ChatGrammar: ChunkGrammar {
  /// The members of one chunk that have a meaning; of duplicates the last.
  struct Members {
    var id: JSONSlice?
    var created: JSONSlice?
    var object: JSONSlice?
    var model: JSONSlice?
    var provider: JSONSlice?
    var isFinal: JSONSlice?
    var integrationID: JSONSlice?
    var telemetry: JSONSlice?
    var finalized: JSONSlice?
    var systemFingerprint: JSONSlice?
    var retrievals: JSONSlice?
    var usage: JSONSlice?
    /// Groq's own: in the last chunk it has the usage.
    var groq: JSONSlice?
    var choices: JSONSlice?
    /// `error`, `code`, `message`, `source`, `detail`: fields of an error, if this is one.
    var error = ErrorMembers()
    var hasOther = false

    /// False if the name has no meaning here.
    mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) -> Bool {
      switch name {
      case "id": id = value
      case "created": created = value
      case "object": object = value
      case "model": model = value
      case "provider": provider = value
      case "is_final": isFinal = value
      case "integration_id": integrationID = value
      case "telemetry": telemetry = value
      case "finalized": finalized = value
      case "system_fingerprint": systemFingerprint = value
      case "retrievals": retrievals = value
      case "usage": usage = value
      case "x_groq": groq = value
      case "choices": choices = value
      default: return error.note(name, value)
      }
      return true
    }
  }

  static func merge(
    _ chunk: UnsafeRawBufferPointer, frame: Int, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    var cursor = JSONCursor(chunk)
    let reader = cursor
    var members = Members()
    try cursor.members { (key, value) throws(JSONError) in
      if !reader.withName(key, { members.note($0, value) }) { members.hasOther = true }
    }
    try cursor.expectEnd()
    // From here on the chunk is known to be JSON, so that nothing is merged in part.
    mergeNames(members, of: reader, frame: frame, into: &builder)
    if let error = members.error.read(from: reader, hasChoices: members.choices?.kind == .array, frame: frame) {
      builder.noteError(error, kind: .errorFrame, frame: frame)
      try members.error.keepRest(of: reader, in: &builder.extra, isError: true)
    } else {
      try members.error.keepRest(of: reader, in: &builder.extra, isError: false)
    }
    try mergeUsage(members, of: reader, frame: frame, into: &builder)
    if let retrievals = members.retrievals, !retrievals.isNull {
      merge(retrievals: retrievals, of: reader, into: &builder)
    }
    if let choices = members.choices, !choices.isNull {
      try merge(choices: choices, of: reader, frame: frame, isFinal: members.isFinal?.kind == .true, into: &builder)
    }
    if members.hasOther { try keepOther(reader, in: &builder) }
  }

  private static func keepOther(_ reader: JSONCursor, in builder: inout GenerationBuilder) throws(JSONError) {
    var cursor = reader
    var unused = Members()
    try cursor.members { (key, value) throws(JSONError) in
      if !reader.withName(key, { unused.note($0, value) }) { builder.extra.set(.top, key, value, of: reader) }
    }
  }

  // MARK: The chunk's own fields

  private static func mergeNames(
    _ members: Members, of cursor: JSONCursor, frame: Int, into builder: inout GenerationBuilder
  ) {
    setFirst(members.id, "id", of: cursor, &builder.responseID, &builder.extra)
    setFirst(members.object, "object", of: cursor, &builder.object, &builder.extra)
    setFirst(members.created, "created", of: cursor, &builder.created, &builder.extra, numbers: true)
    setFirst(members.integrationID, "integration_id", of: cursor, &builder.integrationID, &builder.extra)
    setFirst(members.systemFingerprint, "system_fingerprint", of: cursor, &builder.systemFingerprint, &builder.extra)
    if let finalized = members.finalized, finalized.kind == .string || finalized.kind == .number {
      builder.finalized = cursor.string(finalized)
    } else {
      keep(members.finalized, "finalized", of: cursor, &builder.extra)
    }
    switch members.isFinal?.kind {
    case .true: builder.isFinal = true
    case .false, nil: break
    default: keep(members.isFinal, "is_final", of: cursor, &builder.extra)
    }
    note(members.model, "model", of: cursor, frame: frame, &builder.model, &builder.defects, &builder.extra)
    note(members.provider, "provider", of: cursor, frame: frame, &builder.provider, &builder.defects, &builder.extra)
    guard let telemetry = members.telemetry, telemetry.kind == .object else {
      return keep(members.telemetry, "telemetry", of: cursor, &builder.extra)
    }
    merge(telemetry: telemetry, of: cursor, into: &builder)
  }

  private static func note(
    _ slice: JSONSlice?, _ name: StaticString, of cursor: JSONCursor, frame: Int, _ field: inout NamedOnce,
    _ defects: inout DefectLog, _ extra: inout ExtraFields
  ) {
    guard let slice, slice.kind == .string else { return keep(slice, name, of: cursor, &extra) }
    if let change = field.note(slice, of: cursor) { defects.add(.modelChanged, frame: frame, change) }
  }

  /// The first value that is a text and not empty stays. A value of another kind is kept as extra.
  private static func setFirst(
    _ slice: JSONSlice?, _ name: StaticString, of cursor: JSONCursor, _ field: inout String?,
    _ extra: inout ExtraFields,
    numbers: Bool = false
  ) {
    guard let slice else { return }
    guard slice.kind == .string || (numbers && slice.kind == .number) else {
      return keep(slice, name, of: cursor, &extra)
    }
    if field != nil {
      extra.noteUnread(slice)
    } else if !slice.range.isEmpty {
      field = cursor.string(slice)
    }
  }

  private static func keep(
    _ slice: JSONSlice?, _ name: StaticString, of cursor: JSONCursor, _ extra: inout ExtraFields
  ) {
    if let slice { extra.set(.top, name, slice, of: cursor) }
  }

  /// `usage`, or that of Groq's `x_groq` as long as there was none at the top.
  private static func mergeUsage(
    _ members: Members, of cursor: JSONCursor, frame: Int, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    keep(members.groq, "x_groq", of: cursor, &builder.extra)
    if let usage = members.usage, !usage.isNull {
      if builder.dialect == .unknown, cursor.hasResponsesCounts(usage) {
        builder.merge(responsesUsage: usage, of: cursor, frame: frame)
      } else {
        try builder.merge(usage: usage, of: cursor, frame: frame)
      }
      builder.hasTopUsage = builder.usage != nil || builder.usageUnknownReason != nil
    } else if !builder.hasTopUsage, let usage = members.groq.flatMap({ cursor.member("usage", of: $0) }) {
      try builder.merge(usage: usage, of: cursor, frame: frame)
    }
  }

  private static func merge(telemetry: JSONSlice, of cursor: JSONCursor, into builder: inout GenerationBuilder) {
    var inner = JSONCursor(cursor.bytes, at: telemetry)
    // Checked before, so nothing is thrown.
    try? inner.members { (key, value) throws(JSONError) in
      if cursor.matches(key, "trace_id"), value.kind == .string {
        if builder.traceID == nil, !value.range.isEmpty { builder.traceID = cursor.string(value) }
      } else if cursor.matches(key, "span_id"), value.kind == .string {
        if builder.spanID == nil, !value.range.isEmpty { builder.spanID = cursor.string(value) }
      } else {
        builder.extra.set(.init(kind: .telemetry), key, value, of: cursor)
      }
    }
  }

  private static func merge(retrievals: JSONSlice, of cursor: JSONCursor, into builder: inout GenerationBuilder) {
    guard retrievals.kind == .array else { return keep(retrievals, "retrievals", of: cursor, &builder.extra) }
    let raw = cursor.raw(retrievals)
    // An empty list says nothing against one that came before.
    if builder.retrievals.isEmpty || raw.contains(0x7B) { builder.retrievals = Array(raw) }
  }

  // MARK: Choices

  private static func merge(
    choices: JSONSlice, of cursor: JSONCursor, frame: Int, isFinal: Bool, into builder: inout GenerationBuilder
  ) throws(JSONError) {
    guard choices.kind == .array else { return keep(choices, "choices", of: cursor, &builder.extra) }
    builder.hasChoiceList = true
    var inner = JSONCursor(cursor.bytes, at: choices)
    try inner.elements { (position, choice) throws(JSONError) in
      guard choice.kind == .object else {
        builder.extra.set(.init(kind: .choice, choice: position), "value", choice, of: cursor)
        return
      }
      try merge(choice: choice, position: position, of: cursor, frame: frame, isFinal: isFinal, into: &builder)
    }
  }

  private static func merge(
    choice: JSONSlice, position: Int, of cursor: JSONCursor, frame: Int, isFinal: Bool,
    into builder: inout GenerationBuilder
  ) throws(JSONError) {
    var members = ChoiceMembers()
    var inner = JSONCursor(cursor.bytes, at: choice)
    try inner.members { (key, value) throws(JSONError) in
      if !cursor.withName(key, { members.note($0, value) }) { members.hasOther = true }
    }
    let named = members.index.flatMap { cursor.integer($0) }.flatMap { $0 >= 0 ? $0 : nil }
    let number = named ?? position
    let place = builder.choices.place(number)
    let scope = ExtraFields.Scope(kind: .choice, choice: number)
    if named == nil, let index = members.index { builder.extra.set(scope, "index", index, of: cursor) }
    if let reason = members.finishReason {
      if reason.kind == .string {
        builder.choices.builders[place].finishReason = cursor.string(reason)
      } else {
        builder.extra.set(scope, "finish_reason", reason, of: cursor)
      }
    }
    for (message, inDelta) in [(members.message, false), (members.delta, true)] {
      guard let message, !message.isNull else { continue }
      let reader = MessageReader(
        cursor: cursor, frame: frame, isFinal: isFinal, place: place, choice: number, inDelta: inDelta)
      try reader.merge(message, into: &builder)
    }
    if let text = members.text {
      let reader = MessageReader(
        cursor: cursor, frame: frame, isFinal: isFinal, place: place, choice: number, inDelta: false)
      try reader.merge(content: text, into: &builder)
    }
    guard members.hasOther else { return }
    var again = JSONCursor(cursor.bytes, at: choice)
    var unused = ChoiceMembers()
    try again.members { (key, value) throws(JSONError) in
      if !cursor.withName(key, { unused.note($0, value) }) { builder.extra.set(scope, key, value, of: cursor) }
    }
  }
}

/// The members of one choice that have a meaning; of duplicates the last.
struct ChoiceMembers {
  var index: JSONSlice?
  var message: JSONSlice?
  var delta: JSONSlice?
  var finishReason: JSONSlice?
  /// The text of the old completions endpoint.
  var text: JSONSlice?
  var hasOther = false

  /// False if the name has no meaning here.
  mutating func note(_ name: UnsafeRawBufferPointer, _ value: JSONSlice) -> Bool {
    switch name {
    case "index": index = value
    case "message": message = value
    case "delta": delta = value
    case "finish_reason": finishReason = value
    case "text": text = value
    default: return false
    }
    return true
  }
}
