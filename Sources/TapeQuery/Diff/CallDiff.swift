internal import TapeCatalogue
internal import TapeDialects
package import TapeJSON
internal import TapePricing
package import TapeTypes

extension QueryEngine {
  /// The object of `diff`: two generations beside each other.
  package func diff(
    _ a: (call: RecordedCall, entry: CallEntry), _ b: (call: RecordedCall, entry: CallEntry)
  ) throws -> JSONValue {
    let prices = try prices
    return CallDiff(
      try shown(a.call, at: a.entry.location, prices: prices), try shown(b.call, at: b.entry.location, prices: prices)
    ).json
  }

  /// The same of calls that somebody named.
  package func diff(_ a: String, _ b: String) throws -> JSONValue {
    let sides = try [a, b].map { name in
      let entry = try resolve(name)
      return (call: try recorded(entry), entry: entry)
    }
    return try diff(sides[0], sides[1])
  }
}

/// What one call generated beside what another did.
struct CallDiff {
  private let a: ShownCall
  private let b: ShownCall
  private let objects: (a: JSONValue, b: JSONValue)

  init(_ a: ShownCall, _ b: ShownCall) {
    self.a = a
    self.b = b
    objects = (a.json(full: false), b.json(full: false))
  }

  var json: JSONValue {
    let choices = choices
    let isSame = choices.allSatisfy { $0.isSame }
    return .object([
      .init("a", side(objects.a)), .init("b", side(objects.b)), .init("same", .bool(isSame)),
      .init("request", request), .init("choices", .array(choices.map(\.json))), .init("usage", usage),
      .init("cost", cost), .init("timings", timings), .init("gaps", gaps),
    ])
  }

  private func side(_ object: JSONValue) -> JSONValue {
    let keys = [
      "call_id", "response_id", "started_at", "state", "complete", "http_status", "error", "deployment", "model",
      "provider", "identity_id", "thread_id",
    ]
    return .object(keys.map { .init($0, object[$0] ?? .null) })
  }

  // MARK: Request

  /// Which members of the body are not the same.
  private var request: JSONValue {
    var differs: [String] = []
    if a.call.open.path != b.call.open.path { differs.append("path") }
    if let first = a.facts.body?.members, let second = b.facts.body?.members {
      var seen = Set<String>()
      for member in first + second where seen.insert(member.key).inserted {
        if a.facts.body?[member.key] != b.facts.body?[member.key] { differs.append(member.key) }
      }
    } else if a.call.open.body != b.call.open.body {
      differs.append("body")
    }
    return .object([.init("same", .bool(differs.isEmpty)), .init("differs", JSONPieces.strings(differs))])
  }

  // MARK: What was generated

  private var choices: [ChoiceDiff] {
    let indices = Set(a.generation.choices.map(\.index) + b.generation.choices.map(\.index)).sorted()
    return indices.map { index in
      ChoiceDiff(
        index, a.generation.choices.first { $0.index == index }, b.generation.choices.first { $0.index == index })
    }
  }

  // MARK: Tokens and money

  private var usage: JSONValue {
    let (first, second) = (objects.a["usage"] ?? .null, objects.b["usage"] ?? .null)
    let keys = ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens"]
    let differences = keys.map { key -> JSONValue.Member in
      guard let x = first[key]?.integer, let y = second[key]?.integer else { return .init(key, .null) }
      let (difference, overflow) = y.subtractingReportingOverflow(x)
      return .init(key, .int(overflow ? nil : difference))
    }
    return .object([.init("a", first), .init("b", second), .init("difference", .object(differences))])
  }

  private var cost: JSONValue {
    let (first, second) = (a.cost.total, b.cost.total)
    let difference = first.flatMap { first in second.map { $0 - first } }
    return .object([
      .init("a_usd", .string(first?.description)), .init("b_usd", .string(second?.description)),
      .init("difference_usd", .string(difference?.description)),
    ])
  }

  // MARK: Time

  private var timings: JSONValue {
    let (first, second) = (times(a), times(b))
    return .object([
      .init("a", objects.a["timings"] ?? .null), .init("b", objects.b["timings"] ?? .null),
      .init("difference", .object(zip(first, second).map { .init($0.0, difference($0.1, $1.1)) })),
    ])
  }

  private func times(_ side: ShownCall) -> [(String, Int64?)] {
    let timing = CallTiming(side.call)
    return [
      ("first_byte_ms", side.call.open.hasTimes ? side.call.head?.offsetNs : nil), ("first_frame_ms", timing.first),
      ("first_content_ms", side.generation.firstContentFrame.flatMap { timing.offset(of: $0) }),
      ("duration_ms", side.call.open.hasTimes ? side.call.end?.offsetNs : nil),
      ("longest_gap_ms", timing.longestGap),
    ]
  }

  private func difference(_ first: Int64?, _ second: Int64?) -> JSONValue {
    guard let first, let second else { return .null }
    return JSONPieces.milliseconds(second.subtractingReportingOverflow(first).partialValue)
  }

  private var gaps: JSONValue {
    let (first, second) = (Gaps(a.call), Gaps(b.call))
    let histogram = zip(zip(Gaps.edgesMs, Gaps.edgesMs.dropFirst().map(Optional.some) + [nil]), first.buckets.indices)
      .map { edges, index -> JSONValue in
        [
          "from_ms": .int(edges.0), "to_ms": .int(edges.1), "a": .int(first.buckets[index]),
          "b": .int(second.buckets[index]),
        ]
      }
    let differences = zip(first.measures, second.measures).map { x, y -> JSONValue.Member in
      .init(x.0, difference(x.1, y.1))
    }
    return .object([
      .init("a", first.json), .init("b", second.json), .init("difference", .object(differences)),
      .init("histogram", .array(histogram)),
    ])
  }
}

/// The times between the frames of a call that follow each other.
private struct Gaps {
  /// A gap counts for the last edge that it reaches.
  static let edgesMs = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

  private let count: Int
  let measures: [(String, Int64?)]
  private(set) var buckets: [Int]

  init(_ call: RecordedCall) {
    let offsets = call.frameOffsetsNs
    let gaps = zip(offsets, offsets.dropFirst()).map { Int($1 - $0) }
    count = gaps.count
    let percents = [50, 90, 95, 99]
    measures =
      zip(percents, Percentiles.nearestRank(percents, of: gaps)).map { ("p\($0)_ms", $1.map(Int64.init)) }
      + [("longest_ms", gaps.max().map(Int64.init))]
    buckets = [Int](repeating: 0, count: Self.edgesMs.count)
    for gap in gaps {
      buckets[Self.edgesMs.lastIndex { $0 * 1_000_000 <= gap } ?? 0] += 1
    }
  }

  var json: JSONValue {
    .object([.init("count", .int(count))] + measures.map { .init($0.0, JSONPieces.milliseconds($0.1)) })
  }
}
