internal import TapeTypes

/// One row of table `calls`: see `schema/catalogue.sql` for what each column means.
package struct CallRow: Sendable, Equatable {
  package var callKey: Int64 = 0
  package var callID = ""
  package var responseID: String?
  package var traceID: String?
  package var spanID: String?
  package var traceparent: String?
  package var traceparentTraceID: String?
  package var threadID: String?
  package var previousResponseID: String?
  package var threadTags: String?
  package var identityID: String?
  package var identityName: String?
  package var identityEmail: String?
  package var identityTags: String?
  package var identityLogoURL: String?
  package var identityMetadata: String?
  package var deployment: String?
  package var metadata: String?
  package var inputs: String?
  package var context: String?
  package var requestModel: String?
  package var isMock = false

  package var dialect: String?
  package var model: String?
  package var provider: String?
  package var lastModel: String?
  package var lastProvider: String?
  package var object: String?
  package var created: String?
  package var finalized: String?
  package var integrationID: String?
  package var systemFingerprint: String?
  package var contentMode: String?
  package var text: String?
  package var finishReason: String?
  package var choiceCount = 0
  package var toolCallCount = 0
  package var retrievalCount = 0

  package var state = CallState.open.rawValue
  package var isComplete = false
  package var httpStatus: Int?
  package var endCause: String?
  package var endDetail: String?
  package var clientClosedNs: Int64?
  package var errorMessage: String?
  package var errorCode: SQLValue = .null
  package var errorSource: String?
  package var errorFrame: Int?
  package var defects = "[]"
  package var defectCount = 0
  package var gapFrames = 0
  package var gapBytes = 0

  package var hasUsage = false
  package var promptTokens: Int?
  package var completionTokens: Int?
  package var totalTokens: Int?
  package var cachedTokens: Int?
  package var reasoningTokens: Int?
  package var usageFrame: Int?
  package var usageUnknownReason: String?
  package var usageContradiction: String?

  package var startedNs: Int64 = 0
  package var firstByteNs: Int64?
  package var firstFrameNs: Int64?
  package var firstContentNs: Int64?
  package var durationNs: Int64?
  package var longestGapNs: Int64?
  package var clockStepNs: Int64 = 0
  package var frames = 0
  package var bytes = 0
  package var requestBytes = 0

  package var origin = ""
  package var upstream: String?
  package var method = ""
  package var path = ""
  package var keyFingerprint: String?
  package var redactions = "[]"
  package var requestSHA256 = ""
  package var archiveFile = ""
  package var archiveOffset = 0
  package var leafHash: String?
  /// Set for a row that has nothing but what was kept of the usage of an erased call.
  package var erasedNs: Int64?

  package init() {}

  /// Shows each column with its value to `visitor`, in the order of the table. The one place that pairs names
  /// with properties: reading, writing and the list of names all come from it.
  mutating func visit(_ visitor: inout some ColumnVisitor) {
    visitNames(&visitor)
    visitGeneration(&visitor)
    visitOutcome(&visitor)
    visitUsage(&visitor)
    visitOrigin(&visitor)
  }

  private mutating func visitNames(_ visitor: inout some ColumnVisitor) {
    visitor.visit("call_key", &callKey)
    visitor.visit("call_id", &callID)
    visitor.visit("response_id", &responseID)
    visitor.visit("trace_id", &traceID)
    visitor.visit("span_id", &spanID)
    visitor.visit("traceparent", &traceparent)
    visitor.visit("traceparent_trace_id", &traceparentTraceID)
    visitor.visit("thread_id", &threadID)
    visitor.visit("previous_response_id", &previousResponseID)
    visitor.visit("thread_tags", &threadTags)
    visitor.visit("identity_id", &identityID)
    visitor.visit("identity_name", &identityName)
    visitor.visit("identity_email", &identityEmail)
    visitor.visit("identity_tags", &identityTags)
    visitor.visit("identity_logo_url", &identityLogoURL)
    visitor.visit("identity_metadata", &identityMetadata)
    visitor.visit("deployment", &deployment)
    visitor.visit("metadata", &metadata)
    visitor.visit("inputs", &inputs)
    visitor.visit("context", &context)
    visitor.visit("request_model", &requestModel)
    visitor.visit("mock", &isMock)
  }

  private mutating func visitGeneration(_ visitor: inout some ColumnVisitor) {
    visitor.visit("dialect", &dialect)
    visitor.visit("model", &model)
    visitor.visit("provider", &provider)
    visitor.visit("last_model", &lastModel)
    visitor.visit("last_provider", &lastProvider)
    visitor.visit("object", &object)
    visitor.visit("created", &created)
    visitor.visit("finalized", &finalized)
    visitor.visit("integration_id", &integrationID)
    visitor.visit("system_fingerprint", &systemFingerprint)
    visitor.visit("content_mode", &contentMode)
    visitor.visit("text", &text)
    visitor.visit("finish_reason", &finishReason)
    visitor.visit("choice_count", &choiceCount)
    visitor.visit("tool_call_count", &toolCallCount)
    visitor.visit("retrieval_count", &retrievalCount)
  }

  private mutating func visitOutcome(_ visitor: inout some ColumnVisitor) {
    visitor.visit("state", &state)
    visitor.visit("complete", &isComplete)
    visitor.visit("http_status", &httpStatus)
    visitor.visit("end_cause", &endCause)
    visitor.visit("end_detail", &endDetail)
    visitor.visit("client_closed_ns", &clientClosedNs)
    visitor.visit("error_message", &errorMessage)
    visitor.visit("error_code", &errorCode)
    visitor.visit("error_source", &errorSource)
    visitor.visit("error_frame", &errorFrame)
    visitor.visit("defects", &defects)
    visitor.visit("defect_count", &defectCount)
    visitor.visit("gap_frames", &gapFrames)
    visitor.visit("gap_bytes", &gapBytes)
  }

  private mutating func visitUsage(_ visitor: inout some ColumnVisitor) {
    visitor.visit("has_usage", &hasUsage)
    visitor.visit("prompt_tokens", &promptTokens)
    visitor.visit("completion_tokens", &completionTokens)
    visitor.visit("total_tokens", &totalTokens)
    visitor.visit("cached_tokens", &cachedTokens)
    visitor.visit("reasoning_tokens", &reasoningTokens)
    visitor.visit("usage_frame", &usageFrame)
    visitor.visit("usage_unknown_reason", &usageUnknownReason)
    visitor.visit("usage_contradiction", &usageContradiction)
    visitor.visit("started_ns", &startedNs)
    visitor.visit("first_byte_ns", &firstByteNs)
    visitor.visit("first_frame_ns", &firstFrameNs)
    visitor.visit("first_content_ns", &firstContentNs)
    visitor.visit("duration_ns", &durationNs)
    visitor.visit("longest_gap_ns", &longestGapNs)
    visitor.visit("clock_step_ns", &clockStepNs)
    visitor.visit("frames", &frames)
    visitor.visit("bytes", &bytes)
    visitor.visit("request_bytes", &requestBytes)
  }

  private mutating func visitOrigin(_ visitor: inout some ColumnVisitor) {
    visitor.visit("origin", &origin)
    visitor.visit("upstream", &upstream)
    visitor.visit("method", &method)
    visitor.visit("path", &path)
    visitor.visit("key_fingerprint", &keyFingerprint)
    visitor.visit("redactions", &redactions)
    visitor.visit("request_sha256", &requestSHA256)
    visitor.visit("archive_file", &archiveFile)
    visitor.visit("archive_offset", &archiveOffset)
    visitor.visit("leaf_hash", &leafHash)
    visitor.visit("erased_ns", &erasedNs)
  }
}

extension CallRow {
  /// The columns of `calls` in the order that `init(_:)` reads and `values` writes them.
  package static let columns: [String] = {
    var visitor = ColumnNames()
    var row = CallRow()
    row.visit(&visitor)
    return visitor.names
  }()

  /// `prefix.column, …` for a SELECT whose rows `init(_:)` reads.
  package static func selection(_ prefix: String) -> String {
    columns.map { "\(prefix).\($0)" }.joined(separator: ", ")
  }

  /// Reads a row of `SELECT \(selection(…))`, starting at column `first`.
  package init(_ row: SQLRow, first: Int = 0) {
    self.init()
    var reader = ColumnReader(row: row, position: first)
    visit(&reader)
  }

  var values: [SQLValue] {
    var writer = ColumnWriter()
    var copy = self
    copy.visit(&writer)
    return writer.values
  }

  /// `call_key` for a call: its start in ms and 21 bits made of the random part of its id.
  static func key(of id: CallID) -> Int64 {
    var mixed = id.low ^ (id.high & 0xFFFF) &* 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ mixed >> 31) &* 0xBF58_476D_1CE4_E5B9
    return Int64(id.milliseconds & 0x3FF_FFFF_FFFF) << 21 | Int64(mixed >> 43)
  }
}
