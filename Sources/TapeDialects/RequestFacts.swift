package import TapeJSON
package import TapeTypes

/// What a request says about the call: who, which thread, which deployment, what was asked.
package struct RequestFacts: Sendable, Equatable {
  package struct Identity: Sendable, Equatable {
    /// nil where the request gave an email and no id.
    package var id: String?
    package var displayName: String?
    package var email: String?
    package var tags: [String] = []
    package var logoURL: String?
    package var metadata: JSONValue?

    package init(id: String?) { self.id = id }
  }

  /// `key`.
  package var deployment: String?
  /// Body `thread`, else `orq.thread`, else the header `X-Tapedeck-Thread`, else what the API has for it, see
  /// `APINames`.
  package var threadID: String?
  package var threadTags: [String] = []
  /// The response that the request goes on from: its messages are not sent again.
  package var previousResponseID: String?
  /// Body `identity`, else `orq.identity`, else `orq.contact`, else the header `X-ORQ-IDENTITY-ID`, else
  /// `X-ORQ-CONTACT-ID`, else `X-Tapedeck-Identity`, else what the API has for it, see `APINames`.
  package var identity: Identity?
  package var identityID: String? { identity?.id }
  /// The `traceparent` header as sent; its parts below are nil if it is malformed.
  package var traceparent: String?
  package var traceID: String?
  package var parentSpanID: String?
  package var metadata: JSONValue?
  package var inputs: JSONValue?
  package var context: JSONValue?
  /// `model` of requests that name one, also in their path.
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

  package init(_ open: CallOpen) {
    if !open.body.isEmpty { body = try? JSONValue(parsing: open.body) }
    readBody()
    let names = APINames(open, body)
    identity = RequestFacts.identity(body: body, headers: open.headers) ?? names.identity.map { Identity(id: $0) }
    threadID = threadID ?? RequestFacts.text(open.headers.first("x-tapedeck-thread")) ?? names.thread
    previousResponseID = names.previousResponse
    model = model ?? names.model
    metadata = metadata ?? names.labels
    traceparent = open.headers.first("traceparent")
    if let parts = traceparent.flatMap(Traceparent.init) {
      traceID = parts.traceID
      parentSpanID = parts.parentSpanID
    }
  }

  private mutating func readBody() {
    guard let body else { return }
    deployment = RequestFacts.text(body["key"])
    readThread(body)
    metadata = RequestFacts.present(body["metadata"])
    inputs = RequestFacts.present(body["inputs"])
    context = RequestFacts.present(body["context"])
    model = RequestFacts.text(body["model"])
    stream = body["stream"]?.bool
    let options = body["invoke_options"]
    if let mock = RequestFacts.present(options?["mock_response"]) { isMock = mock != .bool(false) }
    includeUsage =
      options?["include_usage"]?.bool ?? false || body["stream_options"]?["include_usage"]?.bool ?? false
    promptText = PromptText(body: body).text
  }

  /// orq's router takes who and which thread under `orq`: what stands at the top goes before it.
  private mutating func readThread(_ body: JSONValue) {
    let threads = [body["thread"], body["orq"]?["thread"]]
    let named = threads.first { RequestFacts.name(of: $0) != nil } ?? body["thread"]
    threadID = RequestFacts.name(of: named)
    threadTags = RequestFacts.tags(named?["tags"])
  }

  /// Of an object, or a text that stands for it.
  private static func name(of object: JSONValue?) -> String? { text(object?["id"]) ?? text(object) }

  private static func identity(body: JSONValue?, headers: [HeaderField]) -> Identity? {
    let objects = [body?["identity"], body?["orq"]?["identity"], body?["orq"]?["contact"]]
    let object = objects.first { name(of: $0) != nil || text($0?["email"]) != nil }.flatMap { $0 }
    let id =
      name(of: object)
      ?? ["x-orq-identity-id", "x-orq-contact-id", "x-tapedeck-identity"].lazy.compactMap { text(headers.first($0)) }
      .first
    let email = text(object?["email"])
    guard id != nil || email != nil else { return nil }
    var identity = Identity(id: id)
    identity.displayName = text(object?["display_name"])
    identity.email = email
    identity.tags = tags(object?["tags"])
    identity.logoURL = text(object?["logo_url"])
    identity.metadata = present(object?["metadata"])
    return identity
  }

  /// A text that says something; a number counts as its digits.
  static func text(_ value: JSONValue?) -> String? {
    switch value {
    case .string(let text): text.isEmpty ? nil : text
    case .number(let digits): digits
    default: nil
    }
  }

  private static func text(_ header: String?) -> String? {
    header.flatMap { $0.isEmpty || $0 == "[redacted]" ? nil : $0 }
  }

  private static func tags(_ value: JSONValue?) -> [String] {
    (value?.array ?? []).compactMap { text($0) }
  }

  static func present(_ value: JSONValue?) -> JSONValue? {
    // No `?:` here: JSONValue has a nil literal of its own, which is null.
    guard let value, !value.isNull else { return nil }
    return value
  }
}

/// The W3C trace context header: `00-<32 hex>-<16 hex>-<2 hex>`. Source: <https://www.w3.org/TR/trace-context/>.
package struct Traceparent: Sendable, Equatable {
  package var traceID: String
  package var parentSpanID: String

  /// nil if the header is malformed; later versions may carry more fields behind the four.
  package init?(_ header: String) {
    let fields = header.lowercased().split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count >= 4, fields[0].utf8.count == 2, fields[1].utf8.count == 32, fields[2].utf8.count == 16,
      fields[3].utf8.count == 2, fields[0] != "ff", fields[0] != "00" || fields.count == 4,
      fields[..<4].allSatisfy({ $0.utf8.allSatisfy(Traceparent.isHex) }),
      fields[1].utf8.contains(where: { $0 != 0x30 }), fields[2].utf8.contains(where: { $0 != 0x30 })
    else { return nil }
    traceID = String(fields[1])
    parentSpanID = String(fields[2])
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
  }
}
