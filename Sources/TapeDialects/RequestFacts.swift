package import TapeJSON
package import TapeTypes

/// What a request says about the call: who, which thread, which deployment, what was asked.
package struct RequestFacts: Sendable, Equatable {
  package struct Identity: Sendable, Equatable {
    package var id: String
    package var displayName: String?
    package var email: String?
    package var tags: [String] = []
    package var logoURL: String?
    package var metadata: JSONValue?

    package init(id: String) { self.id = id }
  }

  /// `key`.
  package var deployment: String?
  package var threadID: String?
  package var threadTags: [String] = []
  /// Body `identity`, else the header `X-ORQ-IDENTITY-ID`, else `X-ORQ-CONTACT-ID`.
  package var identity: Identity?
  package var identityID: String? { identity?.id }
  /// The `traceparent` header as sent; its parts below are nil if it is malformed.
  package var traceparent: String?
  package var traceID: String?
  package var parentSpanID: String?
  package var metadata: JSONValue?
  package var inputs: JSONValue?
  package var context: JSONValue?
  /// `model` of requests that name one.
  package var model: String?
  /// `invoke_options.mock_response` asks for a made-up answer.
  package var isMock = false
  /// `invoke_options.include_usage` (or `stream_options.include_usage`) asks for usage in the stream.
  package var includeUsage = false
  /// `stream` of the body; nil if it does not say.
  package var stream: Bool?
  /// Texts of inputs, prefix messages and messages for full text; inline media as placeholders.
  package var promptText = ""
  /// The body if it is JSON.
  package var body: JSONValue?

  package init(_ open: CallOpen) {}
}
