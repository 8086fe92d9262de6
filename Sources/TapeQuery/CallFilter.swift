internal import TapeCatalogue
package import TapeTypes

/// Which calls are meant: what the shared filter flags say. Everything given must hold.
package struct CallFilter: Sendable, Hashable {
  /// The telemetry's trace id or the one of the request's traceparent.
  package var trace: String?
  package var span: String?
  package var thread: String?
  /// An identity's id or email.
  package var identity: String?
  /// Thread tags: calls that have all of them.
  package var tags: [String] = []
  package var identityTags: [String] = []
  package var deployment: String?
  package var model: String?
  package var provider: String?
  package var state: CallState?
  /// Members of the request's `metadata`, compared as text.
  package var metadata: [MetadataFilter] = []
  /// ns since 1970: started at or after.
  package var from: Int64?
  /// ns since 1970: started before.
  package var to: Int64?
  package var minDurationNs: Int64?
  /// Phrase in prompts or completions.
  package var text: String?
  /// Another one: what `search` looks for.
  package var phrase: String?
  /// nil: what the command does by default (usage leaves mock calls out, lists show them); true: only mock calls
  /// are not left out either; false: none.
  package var mock: MockFilter = .byDefault
  /// A condition in SQL over `v_calls`.
  package var condition: SQLCondition?

  package init() {}

  /// No condition at all.
  package var isEmpty: Bool { self == CallFilter() }
}

/// `--where SQL`: a condition over `v_calls` that was checked: it is one expression, and reads the views only.
package struct SQLCondition: Sendable, Hashable {
  package let sql: String

  /// - Throws: `TapeError` `.usage` saying what is no SQL, or not allowed.
  package init(_ sql: String) throws {
    if let mistake = try ConditionCheck(sql).mistake {
      throw TapeError(.usage, "--where takes a condition over v_calls: \(mistake)")
    }
    self.sql = sql
  }
}

/// `--meta key=value`.
package struct MetadataFilter: Sendable, Hashable {
  package var key: String
  package var value: String

  package init(key: String, value: String) {
    self.key = key
    self.value = value
  }

  /// Reads `key=value`; the value may be empty and may have further `=`.
  ///
  /// - Throws: `TapeError` `.usage` without `=` or key.
  package init(parsing text: String) throws {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw TapeError(.usage, "--meta takes KEY=VALUE, not \(text)")
    }
    key = String(text[..<equals])
    value = String(text[text.index(after: equals)...])
  }
}

/// What becomes of mock calls.
package enum MockFilter: Sendable, Hashable {
  /// Lists show them, usage leaves them out.
  case byDefault
  /// Shown and counted.
  case include
  case exclude
}
