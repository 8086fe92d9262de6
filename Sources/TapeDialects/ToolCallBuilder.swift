import TapeJSON

/// One tool call, from its fragments.
struct ToolCallBuilder: Sendable, Equatable {
  /// No other call of the choice has it.
  var index: Int
  /// What its fragments name, or would: several calls may have the same.
  let sentIndex: Int
  @ByteExact var id: String?
  @ByteExact var type: String?
  @ByteExact var name: String?
  /// Raw text: JSON only when all of it has come, if then.
  var arguments = WTF8Text()
  /// Arguments that come value by value.
  var partial: PartialArguments?
  var thoughtSignature = SignatureText()

  init(index: Int, sentIndex: Int) {
    self.index = index
    self.sentIndex = sentIndex
  }

  func toolCall(limit: Int) -> ToolCall {
    var call = ToolCall(index: index)
    call.id = id
    call.type = type
    call.name = name
    call.arguments = partial.map { $0.string(limit: limit) } ?? arguments.string(from: 0, limit: limit)
    call.thoughtSignature = thoughtSignature.string(limit: limit)
    return call
  }
}

/// The tool calls of one choice, found by index, else id, else position.
struct ToolCallList: Sendable, Equatable {
  private(set) var calls: [ToolCallBuilder] = []
  /// Several calls came with the same index.
  private(set) var hasSharedIndex = false
  /// The latest call with an index as it is sent.
  private var placeOfIndex: [Int: Int] = [:]
  private var placeOfID: [String: Int] = [:]
  private var taken: Set<Int> = []
  private var highest = -1

  /// Where the call of a fragment is in `calls`; it is added if it is new.
  ///
  /// Adapters, of Gemini's API above all, give every call index 0: an id and a name where the call of that index has
  /// both, and another id, begin a call. Source: <https://github.com/su-kaka/gcli2api/pull/406>.
  ///
  /// - Parameters:
  ///   - isNamed: the fragment names a function.
  ///   - position: of the fragment in its chunk's array.
  mutating func place(index: Int?, id: String?, isNamed: Bool = false, position: Int) -> Int {
    if let index {
      guard let place = placeOfIndex[index] else { return add(index: index) }
      guard let id, let known = calls[place].id, calls[place].name != nil, !known.utf8.elementsEqual(id.utf8) else {
        return place
      }
      if let earlier = placeOfID[id], calls[earlier].sentIndex == index { return earlier }
      return isNamed ? add(index: index) : place
    }
    if let id {
      if let place = placeOfID[id] { return place }
      // A call that came by position so far and has no id yet takes this one.
      if let place = placeOfIndex[position], calls[place].id == nil { return place }
      return add(index: nextIndex)
    }
    return placeOfIndex[position] ?? add(index: position)
  }

  mutating func update(_ place: Int, _ body: (inout ToolCallBuilder) -> Void) {
    body(&calls[place])
    if let id = calls[place].id, placeOfID[id] == nil { placeOfID[id] = place }
  }

  private var nextIndex: Int {
    var index = calls.count
    while taken.contains(index) || placeOfIndex[index] != nil { index += 1 }
    return index
  }

  /// - Parameter index: as it is sent; one that another call has makes the call the last one.
  private mutating func add(index sent: Int) -> Int {
    let isTaken = taken.contains(sent)
    let index = !isTaken ? sent : highest < .max ? highest + 1 : nextIndex
    hasSharedIndex = hasSharedIndex || isTaken
    taken.insert(index)
    highest = max(highest, index)
    placeOfIndex[sent] = calls.count
    calls.append(ToolCallBuilder(index: index, sentIndex: sent))
    return calls.count - 1
  }
}
