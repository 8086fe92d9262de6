import TapeJSON

/// One provider's event grammar. `schema/dialects.md` has the rules by which a call's dialect is found.
package enum Dialect: String, Sendable, CaseIterable {
  /// orq.ai deployments: `choices[].message` in every chunk.
  case orq
  /// OpenAI-compatible chat completions (`choices[].delta`), and the text completions of old (`choices[].text`).
  case openAIChat = "openai_chat"
  /// OpenAI's Responses API: typed events, `response.output_text.delta` and its kin.
  case openAIResponses = "openai_responses"
  /// Anthropic's Messages API: `message_start`, `content_block_delta`, `message_stop`.
  case anthropic
  /// Google's Gemini API: `candidates[].content.parts[]` in every chunk.
  case gemini
  /// None of them: the text of its events as it came; fields are still kept.
  case unknown

  /// What the request's path says; `unknown` if it says nothing.
  init(path: String) {
    // By bytes: the standard library's search in characters took as long as a call's row.
    let components = path.utf8.prefix { $0 != 0x3F }.split(separator: 0x2F, omittingEmptySubsequences: false)
    func has(_ name: StaticString) -> Bool {
      components.dropFirst().dropLast().contains { Self.equal($0, name) }
    }
    let last = components.count > 1 ? components.last : nil
    if last.map({ Self.equal($0, "completions") }) ?? false {
      // Azure's too: `/openai/deployments/NAME/chat/completions`.
      self = .openAIChat
    } else if has("deployments") {
      self = .orq
    } else if last.map({ Self.equal($0, "messages") }) ?? false, !has("threads") {
      self = .anthropic
    } else if last.map({ Self.equal($0, "responses") }) ?? false, !has("agents") {
      self = .openAIResponses
    } else if last.map(Self.isGeminiMethod) ?? false {
      self = .gemini
    } else {
      self = .unknown
    }
  }

  private static func equal(_ component: some Collection<UInt8>, _ name: StaticString) -> Bool {
    component.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  /// `MODEL:generateContent` and `MODEL:streamGenerateContent`, the colon perhaps escaped.
  private static func isGeminiMethod(_ component: Substring.UTF8View) -> Bool {
    guard
      component.suffix(15).elementsEqual("generateContent".utf8)
        || component.suffix(21).elementsEqual("streamGenerateContent".utf8)
    else { return false }
    return component.contains(0x3A) || component.contains(0x25)
  }

  /// The grammar to read chunks with. A further dialect is a further case and a type of its own.
  var grammar: any ChunkGrammar.Type {
    switch self {
    case .orq, .openAIChat, .unknown: ChatGrammar.self
    case .openAIResponses: ResponsesGrammar.self
    case .anthropic: AnthropicGrammar.self
    case .gemini: GeminiGrammar.self
    }
  }

  /// Chunks with `choices`: which of the two it is, is the path's to say.
  var isChat: Bool { self == .orq || self == .openAIChat }
}

/// How one dialect's chunks are read: the boundary at which dialects are added.
protocol ChunkGrammar {
  /// Reads one chunk (the JSON data of an event, or a whole JSON body) and merges it.
  ///
  /// Nothing is merged when the bytes are not one JSON object: then it throws.
  static func merge(_ chunk: UnsafeRawBufferPointer, frame: Int, into builder: inout GenerationBuilder)
    throws(JSONError)

  /// Whether JSON data that shows no dialect cannot be this one's either.
  static func isForeign(_ chunk: UnsafeRawBufferPointer) -> Bool

  /// What becomes of the values at a place of the chunks, given as `CallOutline.Column.path` writes it.
  static func fate(ofPath path: String) -> FieldFate
}

extension ChunkGrammar {
  static func isForeign(_ chunk: UnsafeRawBufferPointer) -> Bool {
    guard WholeBody.isObject(chunk) else { return false }
    let cursor = JSONCursor(chunk)
    let whole = JSONSlice(kind: .object, range: 0..<chunk.count)
    if cursor.member("error", of: whole) != nil { return false }
    let type = cursor.text("type", of: whole).map { cursor.string($0) }
    return type != "ping" && type != "error"
  }
}

/// What becomes of the values that a field has in the chunks of a stream.
enum FieldFate {
  /// They are joined.
  case joined
  /// They are joined, but for repeats.
  case joinedOnce
  /// They change nothing but `extra`.
  case extra
  /// Something else: each value counts by itself.
  case each
}
