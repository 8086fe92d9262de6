internal import TapeCatalogue
internal import TapeJSON
internal import TapePricing
package import TapeTypes

/// What calls have come to, by deployment, provider and model: numbers that only grow.
///
/// Names come from outside, and each makes series that are kept for good: when there are too many, what is new counts as
/// `other`.
package struct CallTotals: Sendable {
  /// So many groups at most, and one for the others.
  package static let mostGroups = 100
  /// Of so many characters of a name.
  static let longestName = 120

  package struct Group: Sendable, Hashable, Comparable {
    package let deployment: String
    package let provider: String
    package let model: String

    static let other = Group(deployment: "other", provider: "other", model: "other")

    package static func < (left: Group, right: Group) -> Bool {
      (left.deployment, left.provider, left.model) < (right.deployment, right.provider, right.model)
    }
  }

  package struct Sums: Sendable {
    /// By state.
    package var calls: [String: Int] = [:]
    package var frames = 0
    package var bytes = 0
    /// `prompt`, `cached`, `completion` and `reasoning`, as the providers reported them.
    package var tokens: [String: Int] = [:]
    /// Of the calls that could be priced.
    var cost = DecimalNumber.zero
    /// By why they have no cost.
    package var unpriced: [String: Int] = [:]
    package var firstChunkNs = Histogram.operationNs
    /// By how the call failed, nil for those that did not.
    package var durationNs: [String?: Histogram] = [:]
    package var inputTokens = Histogram.tokens
    package var outputTokens = Histogram.tokens

    /// US dollars.
    package var usd: String { cost.description }
  }

  package private(set) var groups: [Group: Sums] = [:]
  /// Calls by kind of defect that they have.
  package private(set) var defects: [String: Int] = [:]
  /// Calls that are in none of the groups, as they were not sent to a model.
  package private(set) var mocks = 0

  mutating func add(_ row: CallRow, _ prices: PriceTable) {
    for kind in Self.defectKinds(row) { defects[kind, default: 0] += 1 }
    if row.isMock {
      mocks += 1
      return
    }
    let group = Group(
      deployment: Self.name(row.deployment), provider: Self.name(row.provider), model: Self.name(row.model))
    let isKnown = groups[group] != nil || groups.count < Self.mostGroups
    groups[isKnown ? group : .other, default: Sums()].add(row, prices)
  }

  private static func name(_ text: String?) -> String { text.map { String($0.prefix(longestName)) } ?? "unknown" }

  private static func defectKinds(_ row: CallRow) -> Set<String> {
    guard row.defectCount > 0, let defects = QueryEngine.parsed(row.defects)?.array else { return [] }
    return Set(defects.compactMap { $0["kind"]?.string })
  }
}

extension CallTotals.Sums {
  fileprivate mutating func add(_ row: CallRow, _ prices: PriceTable) {
    calls[row.state, default: 0] += 1
    frames += row.frames
    bytes += row.bytes
    // Bodies that came whole have one frame, and no first chunk to speak of.
    if row.frames > 1, let first = row.firstFrameNs { firstChunkNs.add(first) }
    if let duration = row.durationNs {
      let failure = CallState(rawValue: row.state).flatMap { $0.isFailure ? $0.rawValue : nil }
      durationNs[failure, default: .operationNs].add(duration)
    }
    let usage = CallUsage(row)
    if usage.isKnown { add(usage.counts) }
    let model = CallModel(provider: row.provider, model: row.model, startedNs: row.startedNs)
    switch CallCost(usage, model: model, isMock: false, prices: prices) {
    case .priced(let found): cost += found.total
    case .unknown(let why): unpriced[why.reason.rawValue, default: 0] += 1
    case .mock: break
    }
  }

  private mutating func add(_ counts: TokenCounts) {
    let kinds = [
      ("prompt", counts.prompt), ("cached", counts.cached), ("completion", counts.completion),
      ("reasoning", counts.reasoning),
    ]
    for (kind, count) in kinds { if let count { tokens[kind, default: 0] += count } }
    if let prompt = counts.prompt { inputTokens.add(Int64(prompt)) }
    if let completion = counts.completion { outputTokens.add(Int64(completion)) }
  }
}

extension CallState {
  /// Counts as an error or an abort.
  fileprivate var isFailure: Bool { self != .done && self != .open }
}
