import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

/// How SQLite goes about the common slices: none of them looks at all calls.
@Suite struct QueryPlanTests {
  private static let slices: [(String, @Sendable (inout CallFilter) throws -> Void)] = [
    ("trace", { $0.trace = "4bf92f3577b34da6a3ce929d0e0e4736" }),
    ("span", { $0.span = "00f067aa0ba902b7" }),
    ("thread", { $0.thread = "t1" }),
    ("identity", { $0.identity = "ada@example.com" }),
    ("identity and time", { ($0.identity, $0.from, $0.to) = ("ada", noon, noon + hour) }),
    ("deployment and time", { ($0.deployment, $0.from, $0.to) = ("bot", noon, noon + hour) }),
    ("model and time", { ($0.model, $0.from, $0.to) = ("gpt-4o", noon, noon + hour) }),
    ("provider and time", { ($0.provider, $0.from) = ("openai", noon) }),
    ("state", { $0.state = .upstreamError }),
    ("state and time", { ($0.state, $0.from) = (.clientAbort, noon) }),
    ("time", { ($0.from, $0.to) = (noon, noon + hour) }),
    ("tag", { $0.tags = ["red"] }),
    ("identity tag", { $0.identityTags = ["vip"] }),
    ("text", { $0.text = "refund policy" }),
    ("text and time", { ($0.text, $0.from) = ("refund", noon) }),
    ("condition on an identity", { $0.condition = try SQLCondition("identity_id = 'ada' AND duration_ms > 5") }),
    ("condition and time", { ($0.condition, $0.from) = (try SQLCondition("total_tokens > 5"), noon) }),
  ]

  @Test(arguments: slices.map(\.0))
  func noSliceScansAllCalls(name: String) throws {
    let (test, engine) = try engine([.text(1, startedAt: noon)])
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    try #require(Self.slices.first { $0.0 == name }).1(&filter)
    for sort in [CallSort.newest, .oldest, .longest] {
      let plan = try engine.plan(filter, sort: sort)
      #expect(!plan.isEmpty)
      #expect(!plan.contains { Self.isScan($0) }, "\(plan)")
    }
    let sums = try engine.sumPlan(filter)
    #expect(!sums.contains { Self.isScan($0) }, "\(sums)")
  }

  @Test func aScanIsSeen() throws {
    let (test, engine) = try engine([.text(1, startedAt: noon)])
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    filter.metadata = [MetadataFilter(key: "a", value: "b")]
    #expect(try engine.sumPlan(filter).contains { Self.isScan($0) })
  }

  /// All of the table or of an index of it is gone through.
  private static func isScan(_ step: String) -> Bool {
    step.hasPrefix("SCAN c ") || step == "SCAN c" || step.hasPrefix("SCAN calls")
  }

  @Test func newestAndOldestNeedNoSorting() throws {
    let (test, engine) = try engine([.text(1, startedAt: noon)])
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    filter.condition = try SQLCondition("total_tokens > 5")
    for filter in [CallFilter(), filter] {
      for sort in [CallSort.newest, .oldest] {
        let plan = try engine.plan(filter, sort: sort)
        #expect(!plan.contains { $0.contains("TEMP B-TREE") || $0.contains("MATERIALIZE") }, "\(plan)")
        #expect(plan.contains { $0.contains("calls_by_start") }, "\(plan)")
      }
    }
  }
}
