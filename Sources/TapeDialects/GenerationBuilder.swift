import TapeJSON

/// What a call generated, while its chunks come in. The grammars write here.
struct GenerationBuilder: Sendable, Equatable {
  /// What the path says, until a chunk says otherwise.
  var dialect: Dialect
  /// A chunk has shown which dialect it is.
  private(set) var isSettled = false
  /// Who answers where no chunk says it.
  var origin = ProviderNames.Origin()
  private(set) var rawText = RawText()
  var responseID: String?
  var traceID: String?
  var spanID: String?
  var object: String?
  var created: String?
  @ByteExact var finalized: String?
  var integrationID: String?
  var systemFingerprint: String?
  var model = NamedOnce("model")
  var provider = NamedOnce("provider")
  /// A chunk said `is_final`.
  var isFinal = false
  /// It said that it was stopped before its end.
  var isCancelled = false
  var choices = ChoiceList()
  /// A chunk had a list of choices, perhaps empty.
  var hasChoiceList = false
  var usage: Usage?
  /// A chunk of chat completions had a `usage` of its own, and not in a member of the provider's.
  var hasTopUsage = false
  @ByteExact var usageUnknownReason: String?
  /// The JSON of the last retrievals.
  var retrievals: [UInt8] = []
  var error: GenerationError?
  var defects = DefectLog()
  var extra = ExtraFields()
  var firstContentFrame: Int?
  /// What the grammars of typed events know of each block or item so far, by its number.
  var parts: [Int: OutputPart] = [:]
  var anthropicUsage = AnthropicUsage()
  /// A field's pieces went to more than one place: they cannot be read joined.
  var hasMovedPieces = false
  /// What the chunk that was read last did, for who looks for its shape.
  var trace = ChunkTrace()

  /// Bytes of all texts that chunks append to.
  var textBytes: Int { choices.builders.reduce(0) { $0 + $1.textBytes } }

  /// Grows with all that is added: a chunk that comes again and leaves it as it is says nothing new, but for the
  /// frame that usage came in.
  var weight: Int {
    choices.builders.reduce(defects.total + textBytes + rawText.bytes.count + parts.count) { $0 + $1.parts }
  }

  init(dialect: Dialect) { self.dialect = dialect }

  mutating func noteContent(frame: Int) {
    if firstContentFrame == nil { firstContentFrame = frame }
  }

  /// The first error is the one that is shown; each is a defect.
  mutating func noteError(_ found: GenerationError, kind: Defect.Kind, frame: Int?) {
    if error == nil { error = found }
    defects.add(kind, frame: frame, found.message)
  }

  // MARK: Which dialect it is

  /// Looks at a chunk of which nobody knows yet which dialect it is.
  mutating func settle(by data: UnsafeRawBufferPointer, frame: Int) {
    if let shown = Dialect(shownBy: data) { return settle(on: shown) }
    if dialect == .unknown || (!dialect.isChat && dialect.grammar.isForeign(data)) {
      rawText.append(data, frame: frame)
    }
  }

  mutating func settle(on shown: Dialect) {
    isSettled = true
    for bad in rawText.badFrames { defects.add(.badFrame, frame: bad.frame, bad.message) }
    rawText = RawText()
    // Which of the two it is, the path says.
    if !(shown.isChat && dialect.isChat) { dialect = shown }
  }

  /// Data that is no JSON object.
  mutating func noteBad(frame: Int, _ why: String) {
    if dialect == .unknown { rawText.noteBad(frame: frame, why) } else { defects.add(.badFrame, frame: frame, why) }
  }

  /// What is known; completeness and what is missing are the reconstructor's to judge.
  ///
  /// - Parameters:
  ///   - withHistory: `extra` has the histories of its fields.
  ///   - textLimit: texts have no more than so many bytes.
  func generation(withHistory: Bool, textLimit: Int = .max) -> Generation {
    var result = Generation()
    let unknown = isSettled || !choices.builders.isEmpty ? nil : rawText.choice(limit: textLimit)
    result.dialect = unknown == nil ? dialect : .unknown
    result.responseID = responseID
    result.traceID = traceID
    result.spanID = spanID
    result.object = object
    result.model = model.first
    result.provider = provider.first ?? ProviderNames.provider(of: result, from: origin)
    result.lastModel = model.changed
    result.lastProvider = provider.changed
    result.created = created
    result.finalized = finalized
    result.integrationID = integrationID
    result.systemFingerprint = systemFingerprint
    result.contentMode = choices.builders.contains(where: \.isCumulative) ? .cumulative : .delta
    result.error = error
    result.choices =
      unknown.map { [$0] }
      ?? choices.builders.map { $0.choice(limit: textLimit) }.sorted { $0.index < $1.index }
    result.usage = usage
    if anthropicUsage.isOnlyBegun { result.usage?.contradiction = AnthropicUsage.onlyBegun }
    result.usageUnknownReason = usageUnknownReason
    result.retrievals = (try? JSONValue(parsing: retrievals))?.array ?? []
    result.defects = defects.all
    result.extra = extraWithJoined.json(withHistory: withHistory)
    result.firstContentFrame = firstContentFrame ?? (unknown == nil ? nil : rawText.firstFrame)
    return result
  }
}

/// A name that every chunk repeats: the first stays, a change is exposed.
struct NamedOnce: Sendable, Equatable {
  let what: String
  private(set) var first: String?
  /// The last name, if it is not the first one.
  private(set) var changed: String?
  /// The JSON string that the current name came as: the same bytes need no decoding.
  private var lastBytes: [UInt8] = []

  init(_ what: String) { self.what = what }

  /// Notes the name in a chunk; an empty one is none. Returns what changed, in words, when it did.
  mutating func note(_ slice: JSONSlice, of cursor: JSONCursor) -> String? {
    let raw = cursor.raw(slice)
    if raw.isEmpty || lastBytes.elementsEqual(raw) { return nil }
    lastBytes = Array(raw)
    let name = cursor.string(slice)
    guard let first else {
      first = name
      return nil
    }
    let before = changed ?? first
    guard !name.utf8.elementsEqual(before.utf8) else { return nil }
    changed = name.utf8.elementsEqual(first.utf8) ? nil : name
    return "\(what) changed from \(before) to \(name)"
  }
}
