import TapeJSON

/// One provider's event grammar.
package enum Dialect: String, Sendable, CaseIterable {
  /// orq.ai deployments: `choices[].message` in every chunk.
  case orq
  /// OpenAI-compatible chat completions: `choices[].delta`.
  case openAIChat = "openai_chat"
  /// Neither; fields are still kept.
  case unknown

  /// What the request's path says; `unknown` if it says nothing.
  init(path: String) {
    // By bytes: the standard library's search in characters took as long as a call's row.
    let components = path.utf8.prefix { $0 != 0x3F }.split(separator: 0x2F, omittingEmptySubsequences: false)
    if components.dropFirst().dropLast().contains(where: { $0.elementsEqual("deployments".utf8) }) {
      self = .orq
    } else if components.count > 1, components.last?.elementsEqual("completions".utf8) == true {
      self = .openAIChat
    } else {
      self = .unknown
    }
  }

  /// The grammar to read chunks with. A further dialect is a further case and a type of its own.
  var grammar: any ChunkGrammar.Type {
    switch self {
    case .orq, .openAIChat, .unknown: ChatGrammar.self
    }
  }
}

/// How one dialect's chunks are read: the boundary at which dialects are added.
protocol ChunkGrammar {
  /// Reads one chunk (the JSON data of an event, or a whole JSON body) and merges it.
  ///
  /// Nothing is merged when the bytes are not one JSON object: then it throws.
  static func merge(_ chunk: UnsafeRawBufferPointer, frame: Int, into builder: inout GenerationBuilder)
    throws(JSONError)

  /// What becomes of the values at a place of the chunks, given as `CallOutline.Column.path` writes it.
  static func fate(ofPath path: String) -> FieldFate
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
