package import TapeJSON
internal import TapeTypes

/// What `erase --keep-usage` keeps of a call: numbers for the sums, and what they are priced and grouped by. Nothing of
/// who or what it was about: no identity, thread, tag, metadata, text, trace, credential or size of a content.
extension CallRow {
  /// The columns that are kept, which are the keys of the JSON, in their order.
  package static let keptColumns = [
    "state", "complete", "mock", "http_status", "end_cause", "deployment", "dialect", "request_model", "model",
    "provider", "last_model", "last_provider", "has_usage", "prompt_tokens", "completion_tokens", "total_tokens",
    "cached_tokens", "reasoning_tokens", "usage_frame", "usage_unknown_reason", "usage_contradiction", "first_byte_ns",
    "first_frame_ns", "first_content_ns", "duration_ns", "longest_gap_ns", "clock_step_ns", "origin",
  ]

  /// What is kept of this row, as one canonical JSON object: values as the catalogue has them, NULL left out.
  package var keptUsage: [UInt8] {
    var copy = self
    var visitor = KeptWriter()
    copy.visit(&visitor)
    let members = Self.keptColumns.compactMap { name in
      visitor.values[name].map { JSONValue.Member(name, $0) }
    }
    return JSONValue.object(members).compact
  }

  /// The row of an erased call. What makes no sense in the JSON is left out.
  package init(keptUsage: JSONValue, startedNs: Int64, erasedNs: Int64) {
    self.init()
    var visitor = KeptReader(json: keptUsage)
    visit(&visitor)
    if CallState(rawValue: state) == nil || state == CallState.open.rawValue { state = CallState.lost.rawValue }
    self.startedNs = startedNs
    self.erasedNs = erasedNs
  }
}

private struct KeptWriter: ColumnVisitor {
  var values: [String: JSONValue] = [:]

  mutating func visit(_ name: String, _ value: inout SQLValue) {
    guard CallRow.keptColumns.contains(name) else { return }
    switch value {
    case .null, .real: return
    case .integer(let number): values[name] = .int(number)
    case .text(let text): values[name] = .string(text)
    }
  }
}

private struct KeptReader: ColumnVisitor {
  let json: JSONValue

  mutating func visit(_ name: String, _ value: inout SQLValue) {
    guard CallRow.keptColumns.contains(name), let kept = json[name] else { return }
    if let number = kept.integer {
      value = .integer(Int64(number))
    } else if let text = kept.string {
      value = .text(text)
    }
  }
}
