/// What usage is added up from, of one call: the columns of `calls` under the same names.
package struct UsageRow: Sendable, Equatable {
  /// The columns with text, in the order in which a block has them.
  package enum Name: Int, CaseIterable, Sendable {
    case state, identity, thread, threadTags, deployment, provider, model, usageUnknownReason, usageContradiction
  }

  /// The columns with numbers, in the order in which a block has them.
  package enum Number: Int, CaseIterable, Sendable {
    case started, flags, prompt, completion, total, cached, reasoning, firstContent, duration
  }

  /// Bits of `Number.flags`.
  package static var hasUsageFlag: Int { 1 }
  package static var mockFlag: Int { 2 }

  package var names: [String?]
  package var numbers: [Int?]

  /// The selection that `init(_:)` reads, of `calls c`.
  package static let columns = """
    c.state, c.identity_id, c.thread_id, c.thread_tags, c.deployment, c.provider, c.model, c.usage_unknown_reason, \
    c.usage_contradiction, c.started_ns, c.has_usage + 2 * c.mock, c.prompt_tokens, c.completion_tokens, \
    c.total_tokens, c.cached_tokens, c.reasoning_tokens, c.first_content_ns, c.duration_ns
    """

  package init(names: [String?], numbers: [Int?]) {
    self.names = names
    self.numbers = numbers
  }

  /// Reads a row of `columns`; what stands behind them becomes more names.
  package init(_ row: SQLRow) {
    let fixed = Name.allCases.count
    let behind = fixed + Number.allCases.count
    names = (0..<fixed).map { row.text($0) }
    numbers = (fixed..<behind).map { row.integer($0) }
    if row.count > behind { names += (behind..<row.count).map { row.text($0) } }
  }
}
