import TapeJSON

/// What a call generated, while its chunks come in. The grammars write here.
struct GenerationBuilder: Sendable, Equatable {
  var dialect: Dialect
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
  var choices = ChoiceList()
  /// A chunk had a list of choices, perhaps empty.
  var hasChoiceList = false
  var usage: Usage?
  @ByteExact var usageUnknownReason: String?
  /// The JSON of the last retrievals.
  var retrievals: [UInt8] = []
  var error: GenerationError?
  var defects = DefectLog()
  var extra = ExtraFields()
  var firstContentFrame: Int?
  /// What the chunk that was read last did, for who looks for its shape.
  var trace = ChunkTrace()

  /// Bytes of all texts that chunks append to.
  var textBytes: Int { choices.builders.reduce(0) { $0 + $1.textBytes } }

  /// Grows with all that is added: a chunk that comes again and leaves it as it is says nothing new, but for the
  /// frame that usage came in.
  var weight: Int { choices.builders.reduce(defects.total + textBytes) { $0 + $1.parts } }

  init(dialect: Dialect) { self.dialect = dialect }

  mutating func noteContent(frame: Int) {
    if firstContentFrame == nil { firstContentFrame = frame }
  }

  /// The first error is the one that is shown; each is a defect.
  mutating func noteError(_ found: GenerationError, kind: Defect.Kind, frame: Int?) {
    if error == nil { error = found }
    defects.add(kind, frame: frame, found.message)
  }

  /// What is known; completeness and what is missing are the reconstructor's to judge.
  ///
  /// - Parameters:
  ///   - withHistory: `extra` has the histories of its fields.
  ///   - textLimit: texts have no more than so many bytes.
  func generation(withHistory: Bool, textLimit: Int = .max) -> Generation {
    var result = Generation()
    result.dialect = dialect
    result.responseID = responseID
    result.traceID = traceID
    result.spanID = spanID
    result.object = object
    result.model = model.first
    result.provider = provider.first
    result.lastModel = model.changed
    result.lastProvider = provider.changed
    result.created = created
    result.finalized = finalized
    result.integrationID = integrationID
    result.systemFingerprint = systemFingerprint
    result.contentMode = choices.builders.contains(where: \.isCumulative) ? .cumulative : .delta
    result.error = error
    result.choices = choices.builders.map { $0.choice(limit: textLimit) }.sorted { $0.index < $1.index }
    result.usage = usage
    result.usageUnknownReason = usageUnknownReason
    result.retrievals = (try? JSONValue(parsing: retrievals))?.array ?? []
    result.defects = defects.all
    result.extra = extra.json(withHistory: withHistory)
    result.firstContentFrame = firstContentFrame
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
