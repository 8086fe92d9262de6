package import TapeJSON
package import TapeTypes

/// What a call generated, put together again from its frames. A value: everything that is
/// known is here, what is absent is nil, and what nobody knew is in `extra`.
package struct Generation: Sendable, Equatable {
  package enum ContentMode: String, Sendable { case delta, cumulative }

  /// The grammar that the frames were read by.
  package var dialect: Dialect = .unknown
  package var responseID: String?
  package var traceID: String?
  package var spanID: String?
  package var object: String?
  /// The first model and provider that the stream named.
  package var model: String?
  package var provider: String?
  /// The last ones, if they differ from the first (then there is a `model_changed` defect too).
  package var lastModel: String?
  package var lastProvider: String?
  /// As written by the provider: orq sends RFC 3339, others seconds since 1970.
  package var created: String?
  package var finalized: String?
  package var integrationID: String?
  package var systemFingerprint: String?
  package var contentMode: ContentMode = .delta
  /// `[DONE]` or `is_final` came and no error did; for a JSON body: it is whole and no error.
  package var complete = false
  /// What `CallState` is derived from where the archive is damaged: the stream came to its end, though not all of it
  /// is on tape any more. nil where `complete` says it.
  package var endedWhole: Bool?
  package var error: GenerationError?
  package var choices: [Choice] = []
  package var usage: Usage?
  /// Why `usage` is nil although a frame had one; nil when no frame had any.
  package var usageUnknownReason: String?
  package var retrievals: [JSONValue] = []
  package var defects: [Defect] = []
  /// Fields that no rule reads, as an object with the nesting that they came in; array
  /// elements are keyed by their index (`{"choices":{"0":{"message":{…}}}}`). Known fields with a value of a kind
  /// that they should not have are there too.
  ///
  /// Each has its last value. If some had different ones, `extra` ends with `_history` (with more underscores if the
  /// stream has a field of that name): of each such field `{"path":["choices","0","x"],"values":[…]}`, the distinct
  /// values in the order in which they first came. That is bounded: 1,000 values of a field, 1 MiB of a call; then
  /// `left_out` says how often a value came that found no place. null counts as no value.
  package var extra: JSONValue = .object([])
  /// Index of the first frame with text, reasoning, a tool call or an image.
  package var firstContentFrame: Int?

  package init() {}

  /// The stream itself reported an error (in a frame, or as a JSON body).
  package var hasErrorFrame: Bool { error?.frame != nil }
}

/// An error that the provider reported.
package struct GenerationError: Sendable, Equatable {
  package var message: String
  /// A string or a number, as sent.
  package var code: JSONValue?
  package var source: String?
  /// Index of the frame that said so; nil if it is known from the HTTP status alone.
  package var frame: Int?

  package init(message: String, code: JSONValue? = nil, source: String? = nil, frame: Int? = nil) {
    self.message = message
    self.code = code
    self.source = source
    self.frame = frame
  }
}

extension Generation {
  /// Part of the response is not on tape any more: whatever the rest says, this is not the whole of it.
  ///
  /// - Parameter end: where upstream ended the body as HTTP says, damage of the archive does not make that a cut.
  package mutating func noteArchiveDamage(_ problem: String?, end: CallEnd?) {
    guard let problem else { return }
    endedWhole = error == nil && (complete || end?.cause == .endOfBody)
    complete = false
    defects.append(Defect(.truncated, problem))
  }
}

/// One of the alternatives that a call generated.
package struct Choice: Sendable, Equatable {
  package var index: Int
  /// The last type that the stream gave: `content`, `tool_calls`, `image`, …
  package var type: String?
  package var role: String?
  package var content: String?
  package var reasoning: String?
  package var reasoningSignature: String?
  package var redactedReasoning: String?
  package var refusal: String?
  package var toolCalls: [ToolCall] = []
  package var imageURLs: [String] = []
  package var finishReason: String?

  package init(index: Int) { self.index = index }
}

package struct ToolCall: Sendable, Equatable {
  package var index: Int
  package var id: String?
  package var type: String?
  package var name: String?
  /// Raw text, JSON or not.
  package var arguments: String = ""
  package var thoughtSignature: String?

  package init(index: Int) { self.index = index }
}

/// Token counts as the provider gave them; nil is unknown, never 0.
package struct Usage: Sendable, Equatable {
  package var prompt: Int?
  package var completion: Int?
  package var total: Int?
  package var cached: Int?
  package var reasoning: Int?
  /// Index of the frame that they came in.
  package var frame: Int
  /// What is impossible about the numbers; then they cannot be priced.
  package var contradiction: String?

  package init(
    prompt: Int? = nil, completion: Int? = nil, total: Int? = nil, cached: Int? = nil, reasoning: Int? = nil,
    frame: Int = 0, contradiction: String? = nil
  ) {
    self.prompt = prompt
    self.completion = completion
    self.total = total
    self.cached = cached
    self.reasoning = reasoning
    self.frame = frame
    self.contradiction = contradiction
  }
}

/// Something about the response that is not as it should be.
package struct Defect: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    case badFrame = "bad_frame"
    case errorFrame = "error_frame"
    case httpError = "http_error"
    case notSSE = "not_sse"
    case empty
    case truncated
    case noFinal = "no_final"
    case badUsage = "bad_usage"
    case modelChanged = "model_changed"
    case afterDone = "after_done"
  }

  package var kind: Kind
  /// Index of the frame concerned; nil for the response as a whole.
  package var frame: Int?
  package var message: String

  package init(_ kind: Kind, frame: Int? = nil, _ message: String) {
    self.kind = kind
    self.frame = frame
    self.message = message
  }
}
