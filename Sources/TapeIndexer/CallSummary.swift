internal import Crypto
internal import TapeArchive
internal import TapeCatalogue
internal import TapeDialects
internal import TapeJSON
internal import TapeTypes

/// All that is known of one call when its row is written; the one place that says which fact goes into which column.
struct CallSummary {
  var open: CallOpen
  /// What the request says.
  var facts: RequestFacts
  var location: CallLocation
  var head: CallHead?
  var end: CallEnd?
  var isLive: Bool
  var generation: Generation
  /// Arrivals of the first frame and of the first with content, and the longest time between two.
  var firstFrameNs: Int64?
  var firstContentNs: Int64?
  var longestGapNs: Int64?
  /// On tape.
  var frames: Int
  var bytes: Int
  /// What the archive could not take, for calls whose end does not say it.
  var gapFrames = 0
  var gapBytes = 0
  /// nil while the call is open.
  var leafHash: [UInt8]?
  /// It was decoded from a segment.
  var isDecoded = false

  /// The row.
  func row() -> CallRow {
    var row = CallRow()
    describeRequest(&row)
    describeGeneration(&row)
    describeOutcome(&row)
    describeUsage(&row)
    describeTimes(&row)
    describeOrigin(&row)
    return row
  }

  /// What belongs to the row.
  func content() -> CallContent {
    CallContent(
      prompt: facts.promptText, completion: isLive ? "" : generation.fullText, threadTags: facts.threadTags,
      identityTags: facts.identity?.tags ?? [])
  }

  private func describeRequest(_ row: inout CallRow) {
    row.callID = open.id.description
    row.traceparent = facts.traceparent
    row.traceparentTraceID = facts.traceID
    row.threadID = facts.threadID
    if facts.threadID == nil { row.previousResponseID = facts.previousResponseID }
    row.threadTags = Self.json(facts.threadTags)
    row.deployment = facts.deployment
    row.metadata = Self.json(facts.metadata)
    row.inputs = Self.json(facts.inputs)
    row.context = Self.json(facts.context)
    row.requestModel = facts.model
    row.isMock = facts.isMock
    guard let identity = facts.identity else { return }
    row.identityID = identity.id
    row.identityName = identity.displayName
    row.identityEmail = identity.email
    row.identityTags = Self.json(identity.tags)
    row.identityLogoURL = identity.logoURL
    row.identityMetadata = Self.json(identity.metadata)
  }

  private func describeGeneration(_ row: inout CallRow) {
    row.responseID = generation.responseID
    row.traceID = generation.traceID
    row.spanID = generation.spanID
    row.dialect = generation.dialect.rawValue
    row.model = generation.model
    row.provider = generation.provider
    row.lastModel = generation.lastModel
    row.lastProvider = generation.lastProvider
    row.object = generation.object
    row.created = generation.created
    row.finalized = generation.finalized
    row.integrationID = generation.integrationID
    row.systemFingerprint = generation.systemFingerprint
    row.contentMode = generation.contentMode.rawValue
    let first = generation.choices.first { $0.index == 0 }
    row.text = first?.content.map { Generation.withoutMedia($0, limit: 200) }
    row.finishReason = first?.finishReason
    row.choiceCount = generation.choices.count
    row.toolCallCount = generation.choices.reduce(0) { $0 + $1.toolCalls.count }
    row.retrievalCount = generation.retrievals.count
  }

  private func describeOutcome(_ row: inout CallRow) {
    row.state =
      CallState(
        head: head, end: end, isLive: isLive, isComplete: generation.endedWhole ?? generation.complete,
        hasErrorFrame: generation.hasErrorFrame
      ).rawValue
    row.isComplete = generation.complete
    row.httpStatus = head?.status
    row.endCause = end?.cause.rawValue
    row.endDetail = end?.detail
    row.clientClosedNs = end?.clientClosedNs
    if let error = generation.error {
      row.errorMessage = Generation.withoutMedia(error.message, limit: 10_000)
      row.errorCode = Self.sql(error.code)
      row.errorSource = error.source
      row.errorFrame = error.frame
    }
    let defects = generation.defects.map { defect in
      JSONValue.object([
        .init("kind", .string(defect.kind.rawValue)), .init("frame", .int(defect.frame)),
        .init("message", .string(defect.message)),
      ])
    }
    row.defects = JSONValue.array(defects).compactString
    row.defectCount = defects.count
    row.gapFrames = end?.gapFrames ?? gapFrames
    row.gapBytes = end?.gapBytes ?? gapBytes
  }

  private func describeUsage(_ row: inout CallRow) {
    row.usageUnknownReason = generation.usageUnknownReason
    guard let usage = generation.usage else { return }
    row.hasUsage = true
    row.promptTokens = usage.prompt
    row.completionTokens = usage.completion
    row.totalTokens = usage.total
    row.cachedTokens = usage.cached
    row.reasoningTokens = usage.reasoning
    row.usageFrame = usage.frame
    row.usageContradiction = usage.contradiction
  }

  private func describeTimes(_ row: inout CallRow) {
    row.startedNs = open.startedAtNs
    row.clockStepNs = end?.clockStepNs ?? 0
    row.frames = frames
    row.bytes = bytes
    row.requestBytes = open.body.count
    guard open.hasTimes else { return }
    row.firstByteNs = head?.offsetNs
    row.firstFrameNs = firstFrameNs
    row.firstContentNs = firstContentNs
    row.durationNs = end?.offsetNs
    row.longestGapNs = longestGapNs
  }

  private func describeOrigin(_ row: inout CallRow) {
    row.origin = open.origin.rawValue
    row.upstream = open.upstream.isEmpty ? nil : open.upstream
    row.method = open.method
    row.path = open.path
    row.keyFingerprint = open.keyFingerprint
    row.redactions = Self.json(open.redactions) ?? "[]"
    row.requestSHA256 = Hex.string(SHA256.hash(data: open.body))
    row.archiveFile = location.file
    row.archiveOffset = location.offset
    row.leafHash = leafHash.map { Hex.string($0) }
  }

  private static func json(_ value: JSONValue?) -> String? {
    guard let value, !value.isNull else { return nil }
    return withoutInlineMedia(value).compactString
  }

  /// nil for none: a request without tags says nothing about tags.
  private static func json(_ texts: [String]) -> String? {
    texts.isEmpty ? nil : JSONValue.array(texts.map { .string($0) }).compactString
  }

  private static func sql(_ value: JSONValue?) -> SQLValue {
    guard let value, !value.isNull else { return .null }
    if let integer = value.integer { return .integer(Int64(integer)) }
    return .text(value.string ?? value.compactString)
  }
}
