import TapeJSON

/// What is known of one block of Anthropic's `content`, or one item of the Responses API's `output`, while it streams.
struct OutputPart: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// Its texts are the choice's.
    case text
    /// It is the choice's tool call at this place.
    case tool(Int)
    /// It is kept as extra, e.g. what a server's own tools are asked.
    case other
  }

  var kind: Kind
  /// The item's own, as it was on the wire.
  var id: [UInt8]?
  /// The input of a tool as the block began: what counts if no piece of it follows.
  var input: [UInt8] = []
  /// What a server's tool is asked, put together.
  var serverInput = WTF8Text()
  /// Which texts of the item have come piece by piece, so that the whole text behind them says nothing new.
  var streamed: Set<Int> = []

  init(kind: Kind) { self.kind = kind }

  /// - Parameter item: names the id.
  init(kind: Kind, of item: JSONSlice, _ cursor: JSONCursor) {
    self.kind = kind
    id = cursor.text("id", of: item).map { Array(cursor.raw($0)) }
  }
}

extension GenerationBuilder {
  /// The choice of dialects that have one.
  var single: ChoiceBuilder {
    get { choices.builders[0] }
    // In place: what is read and written back is a copy of all texts.
    _modify { yield &choices.builders[0] }
  }

  /// Adds the choice if it is not there.
  mutating func makeSingle() { if choices.builders.isEmpty { _ = choices.place(0) } }

  /// A new tool call of the single choice; its place.
  mutating func addTool(id: String?, name: String?) -> Int {
    let count = single.tools.calls.count
    let place = single.tools.place(index: count, id: nil, position: count)
    single.tools.update(place) { call in
      call.id = id
      call.name = name
    }
    return place
  }

  /// `extra`, and in it what was put together: inputs of servers' tools, transcripts of choices with another content.
  var extraWithJoined: ExtraFields {
    guard extra.isKept else { return extra }
    let inputs = parts.filter { !$0.value.serverInput.isEmpty }
    var extra = extra
    for choice in choices.builders where !choice.isSpoken {
      guard let transcript = choice.transcript?.string else { continue }
      let scope = ExtraFields.Scope(kind: .audio, choice: choice.index, inDelta: choice.isTranscriptInDelta)
      extra.set(scope, "transcript", json: JSONValue.string(transcript).compact)
    }
    for (number, part) in inputs.sorted(by: { $0.key < $1.key }) {
      let text = part.serverInput.string
      let json = (try? JSONValue(parsing: text)) ?? .string(text)
      extra.set(.init(kind: .block, choice: number), "input", json: json.compact)
    }
    return extra
  }

  /// Events of no known type: kept, as they may mean something to somebody, up to a size.
  mutating func keep(event chunk: UnsafeRawBufferPointer) {
    guard extra.size(.top, "events") + chunk.count < 1 << 20 else { return }
    extra.append(.top, "events", JSONSlice(kind: .object, range: 0..<chunk.count), of: JSONCursor(chunk))
  }

  /// An event that should not be there any more.
  mutating func isOver(_ type: String, frame: Int) -> Bool {
    guard isFinal else { return false }
    defects.add(.afterDone, frame: frame, "an event \(type) came after the last one")
    return true
  }

  /// Sets a name of the response's once; null and "" are none.
  mutating func setFirst(
    _ field: WritableKeyPath<GenerationBuilder, String?>, _ slice: JSONSlice, of cursor: JSONCursor
  ) {
    guard self[keyPath: field] == nil, slice.kind == .string || slice.kind == .number, !slice.range.isEmpty else {
      return
    }
    self[keyPath: field] = cursor.string(slice)
  }

  mutating func note(model slice: JSONSlice, of cursor: JSONCursor, frame: Int) {
    guard slice.kind == .string, let change = model.note(slice, of: cursor) else { return }
    defects.add(.modelChanged, frame: frame, change)
  }
}
