import TapeJSON

/// One choice, from its chunks.
struct ChoiceBuilder: Sendable, Equatable {
  var index: Int
  var type: String?
  var role: String?
  var content = ContentText()
  var reasoning: WTF8Text?
  var reasoningSignature = SignatureText()
  var redactedReasoning = SignatureText()
  var refusal = ContentText()
  /// What its audio says: the content, unless there is another.
  var transcript: WTF8Text?
  var isTranscriptInDelta = false
  var tools = ToolCallList()
  var imageURLs: [String] = []
  @ByteExact var finishReason: String?

  /// The JSON string that `type` came as: the same bytes need no decoding.
  private var typeBytes: [UInt8] = []

  init(index: Int) { self.index = index }

  var isCumulative: Bool { content.isCumulative || refusal.isCumulative }

  /// Its content is what its audio says.
  var isSpoken: Bool { content.count == 0 && transcript != nil }

  /// Of all that is appended.
  var textBytes: Int {
    var bytes = content.count + refusal.count + (reasoning?.count ?? 0) + reasoningSignature.count
    bytes += redactedReasoning.count + (transcript?.count ?? 0)
    for call in tools.calls {
      bytes += call.arguments.count + call.thoughtSignature.count + (call.partial?.count ?? 0)
    }
    return bytes
  }

  /// Choices, tool calls and images in it.
  var parts: Int { 1 + tools.calls.count + imageURLs.count }

  /// The last type stays: it may change in mid-choice.
  mutating func note(type slice: JSONSlice, of cursor: JSONCursor) {
    let raw = cursor.raw(slice)
    if typeBytes.elementsEqual(raw) { return }
    typeBytes = Array(raw)
    type = cursor.string(slice)
  }

  /// - Parameter limit: texts have no more than so many bytes.
  func choice(limit: Int) -> Choice {
    var choice = Choice(index: index)
    choice.type = type
    choice.role = role
    choice.content = isSpoken ? transcript?.string(from: 0, limit: limit) : content.string(limit: limit)
    choice.reasoning = reasoning?.string(from: 0, limit: limit)
    choice.reasoningSignature = reasoningSignature.string(limit: limit)
    choice.redactedReasoning = redactedReasoning.string(limit: limit)
    choice.refusal = refusal.string(limit: limit)
    choice.toolCalls = tools.calls.map { $0.toolCall(limit: limit) }.sorted { $0.index < $1.index }
    choice.imageURLs = imageURLs
    choice.finishReason = finishReason
    return choice
  }
}

/// The choices of one call, found by their index.
struct ChoiceList: Sendable, Equatable {
  var builders: [ChoiceBuilder] = []
  private var places: [Int: Int] = [:]

  /// Where the choice is in `builders`; it is added if it is new.
  mutating func place(_ index: Int) -> Int {
    // Nearly every stream has one choice, number 0.
    if builders.count == 1, builders[0].index == index { return 0 }
    if let place = places[index] { return place }
    places[index] = builders.count
    builders.append(ChoiceBuilder(index: index))
    return builders.count - 1
  }
}
