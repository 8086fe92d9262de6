import TapeJSON

/// One tool call, from its fragments.
struct ToolCallBuilder: Sendable, Equatable {
  var index: Int
  /// Some fragment named this index.
  var hasIndex: Bool
  @ByteExact var id: String?
  @ByteExact var type: String?
  @ByteExact var name: String?
  /// Raw text: JSON only when all of it has come, if then.
  var arguments = WTF8Text()
  /// Arguments that come value by value.
  var partial: PartialArguments?
  var thoughtSignature = SignatureText()

  init(index: Int, hasIndex: Bool) {
    self.index = index
    self.hasIndex = hasIndex
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
  private var placeOfIndex: [Int: Int] = [:]
  private var placeOfID: [String: Int] = [:]

  /// Where the call of a fragment is in `calls`; it is added if it is new.
  ///
  /// - Parameter position: of the fragment in its chunk's array.
  mutating func place(index: Int?, id: String?, position: Int) -> Int {
    if let index {
      return placeOfIndex[index] ?? add(index: index, hasIndex: true)
    }
    if let id {
      if let place = placeOfID[id] { return place }
      // A call that came by position so far and has no id yet takes this one.
      if let place = placeOfIndex[position], calls[place].id == nil { return place }
      return add(index: nextIndex, hasIndex: false)
    }
    return placeOfIndex[position] ?? add(index: position, hasIndex: false)
  }

  mutating func update(_ place: Int, _ body: (inout ToolCallBuilder) -> Void) {
    body(&calls[place])
    if let id = calls[place].id, placeOfID[id] == nil { placeOfID[id] = place }
  }

  private var nextIndex: Int {
    var index = calls.count
    while placeOfIndex[index] != nil { index += 1 }
    return index
  }

  private mutating func add(index: Int, hasIndex: Bool) -> Int {
    placeOfIndex[index] = calls.count
    calls.append(ToolCallBuilder(index: index, hasIndex: hasIndex))
    return calls.count - 1
  }
}
