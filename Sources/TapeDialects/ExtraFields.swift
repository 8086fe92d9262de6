import TapeJSON

/// Fields that no rule reads, kept with where they came from. The last value is the field's, those before it are
/// its history; null adds and erases nothing. A value that is the same in every chunk costs a comparison.
struct ExtraFields: Sendable, Equatable {
  /// The object that a field was in.
  struct Scope: Sendable, Equatable {
    enum Kind: UInt8, Sendable {
      case top, telemetry, error, usage, promptDetails, completionDetails, choice, message, delta, toolCall, function
      /// That of a message or a delta.
      case audio
      /// A block of Anthropic's `content`, an item of the Responses API's `output`, a part of such an item's content,
      /// one of Gemini's `candidates`, by `choice` (and `tool`).
      case block, item, itemPart, candidate
    }

    var kind: Kind
    var choice = 0
    var tool = 0
    /// The tool call or the audio is inside a `delta`, not a `message`.
    var inDelta = false

    var path: [String] {
      let choicePath = ["choices", String(choice)]
      let messagePath = choicePath + [inDelta ? "delta" : "message"]
      let toolPath = messagePath + ["tool_calls", String(tool)]
      switch kind {
      case .top: return []
      case .telemetry: return ["telemetry"]
      case .error: return ["error"]
      case .usage: return ["usage"]
      case .promptDetails: return ["usage", "prompt_tokens_details"]
      case .completionDetails: return ["usage", "completion_tokens_details"]
      case .choice: return choicePath
      case .message: return choicePath + ["message"]
      case .delta: return choicePath + ["delta"]
      case .audio: return messagePath + ["audio"]
      case .toolCall: return toolPath
      case .function: return toolPath + ["function"]
      case .block: return ["content", String(choice)]
      case .item: return ["output", String(choice)]
      case .itemPart: return ["output", String(choice), "content", String(tool)]
      case .candidate: return ["candidates", String(choice)]
      }
    }

    static let top = Scope(kind: .top)
  }

  private struct Entry: Sendable, Equatable {
    var scope: Scope
    /// The key's name, its escapes read.
    var key: [UInt8]
    /// The value's JSON.
    var value: [UInt8]
    /// nil as long as there has been one value only.
    var history: ValueHistory?

    var path: [String] { scope.path + [String(decoding: key, as: UTF8.self)] }
  }

  /// False: nobody asks for them, and nothing is kept.
  var isKept = true
  /// The values of a chunk that nobody looked at, in order, if that is asked.
  var unread: [JSONSlice]?
  private var entries: [Entry] = []
  /// What the histories may still take.
  private var historyBytes = ValueHistory.maximumBytes
  /// From a hash of scope and key to the entries that have it.
  private var places: [UInt64: [Int]] = [:]

  mutating func set(_ scope: Scope, _ key: JSONSlice, _ value: JSONSlice, of cursor: JSONCursor) {
    if value.isNull { return }
    guard isKept else { return noteUnread(value) }
    let isString = value.kind == .string
    let range = isString ? value.range.lowerBound - 1..<value.range.upperBound + 1 : value.range
    cursor.withName(key) { set(scope, key: $0, UnsafeRawBufferPointer(rebasing: cursor.bytes[range])) }
  }

  /// A field under a name of the grammar's, e.g. one with a value of a kind that it cannot read.
  mutating func set(_ scope: Scope, _ key: StaticString, _ value: JSONSlice, of cursor: JSONCursor) {
    if value.isNull || !isKept { return }
    set(scope, key, json: cursor.value(value).compact)
  }

  mutating func set(_ scope: Scope, _ key: StaticString, json: [UInt8]) {
    guard isKept else { return }
    json.withUnsafeBytes { set(scope, key: ExtraFields.name(key), $0) }
  }

  /// A field of an object that comes several times and each time says all: the values before the last are no history.
  mutating func replace(_ scope: Scope, _ key: JSONSlice, _ value: JSONSlice, of cursor: JSONCursor) {
    if value.isNull || !isKept { return }
    cursor.withName(key) { name in
      if let place = place(scope, name) {
        entries[place].value = Array(cursor.json(value))
      } else {
        set(scope, key: name, cursor.json(value))
      }
    }
  }

  /// One more element of a field that is a list.
  mutating func append(_ scope: Scope, _ key: StaticString, _ value: JSONSlice, of cursor: JSONCursor) {
    guard isKept else { return }
    let element = cursor.json(value)
    guard let place = place(scope, ExtraFields.name(key)) else {
      return set(scope, key, json: [0x5B] + element + [0x5D])
    }
    // A list, unless the field came as something else before.
    guard entries[place].value.last == 0x5D else { return }
    entries[place].value.removeLast()
    if entries[place].value.count > 1 { entries[place].value.append(0x2C) }
    entries[place].value.append(contentsOf: element)
    entries[place].value.append(0x5D)
  }

  /// Bytes that the field's value takes; 0 if it is not there.
  func size(_ scope: Scope, _ key: StaticString) -> Int {
    place(scope, ExtraFields.name(key)).map { entries[$0].value.count } ?? 0
  }

  private static func name(_ key: StaticString) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
  }

  private func place(_ scope: Scope, _ key: UnsafeRawBufferPointer) -> Int? {
    places[ExtraFields.hash(scope, key)]?.first { entries[$0].scope == scope && entries[$0].key.elementsEqual(key) }
  }

  /// The value of a field makes no difference, whatever it is.
  mutating func noteUnread(_ value: JSONSlice) {
    if value.kind == .string || value.kind == .number { unread?.append(value) }
  }

  private mutating func set(_ scope: Scope, key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    if let place = place(scope, key) {
      if !entries[place].value.elementsEqual(value) { change(place, to: Array(value)) }
      return
    }
    places[ExtraFields.hash(scope, key), default: []].append(entries.count)
    entries.append(Entry(scope: scope, key: Array(key), value: Array(value)))
  }

  private mutating func change(_ place: Int, to value: [UInt8]) {
    if entries[place].history == nil {
      var history = ValueHistory()
      history.add(entries[place].value, bytes: &historyBytes)
      entries[place].history = history
    }
    entries[place].history?.add(value, bytes: &historyBytes)
    entries[place].value = value
  }

  /// FNV-1a.
  private static func hash(_ scope: Scope, _ key: UnsafeRawBufferPointer) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(scope.kind.rawValue)
    hash = (hash &* 0x100_0000_01B3) ^ UInt64(truncatingIfNeeded: scope.choice)
    hash = (hash &* 0x100_0000_01B3) ^ UInt64(truncatingIfNeeded: scope.tool)
    for byte in key { hash = (hash &* 0x100_0000_01B3) ^ UInt64(byte) }
    return hash
  }

  /// All fields as one object, in the order in which they first came, and behind them, if any field changed,
  /// the histories as `Generation.extra` tells.
  func json(withHistory: Bool) -> JSONValue {
    let root = Node()
    for entry in entries {
      guard let value = try? JSONValue(parsing: entry.value) else { continue }
      entry.path.reduce(root) { $0.child($1) }.value = value
    }
    let histories = withHistory ? entries.compactMap { history(of: $0, in: root) } : []
    guard !histories.isEmpty else { return root.json }
    var name = "_history"
    while root.has(name) { name = "_" + name }
    root.child(name).value = .array(histories)
    return root.json
  }

  private func history(of entry: Entry, in root: Node) -> JSONValue? {
    // A field that was an object with fields of its own in one chunk and something else in another shows the fields.
    let isHidden = entry.path.reduce(root) { $0.child($1) }.hasChildren
    guard entry.history != nil || isHidden else { return nil }
    let values = (entry.history?.values ?? [entry.value]).compactMap { try? JSONValue(parsing: $0) }
    var members: [JSONValue.Member] = [
      .init("path", .array(entry.path.map { .string($0) })), .init("values", .array(values)),
    ]
    if let leftOut = entry.history?.leftOut, leftOut > 0 { members.append(.init("left_out", .int(leftOut))) }
    return .object(members)
  }

  /// An object that is being put together.
  private final class Node {
    var value: JSONValue = .object([])
    private var children: [(key: String, node: Node)] = []
    private var places: [[UInt8]: Int] = [:]

    var hasChildren: Bool { !children.isEmpty }

    func has(_ key: String) -> Bool { places[Array(key.utf8)] != nil }

    func child(_ key: String) -> Node {
      // By bytes: Swift's strings are equal when they look the same.
      let name = Array(key.utf8)
      if let place = places[name] { return children[place].node }
      places[name] = children.count
      children.append((key, Node()))
      return children[children.count - 1].node
    }

    var json: JSONValue {
      children.isEmpty ? value : .object(children.map { .init($0.key, $0.node.json) })
    }
  }
}
