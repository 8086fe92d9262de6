import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct FilterTests {
  private func calls() -> [TestCall] {
    var refused = TestCall.refused(4, startedAt: noon + 4 * second)
    refused.headers = [HeaderField("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    return [
      .text(
        1, startedAt: noon + 1 * second, ["退款数据", "处理完成"],
        request: request(
          "ada", email: "Ada@example.com", thread: "t1", tags: ["red"], metadata: #"{"team":"blue","n":3,"dry":true}"#)),
      .text(
        2, startedAt: noon + 2 * second, request: request("ada", key: "other", question: "the refund policy, please")),
      .unfinished(
        3, startedAt: noon + 3 * second, cause: .timeout, request: request("bob", extra: #","identity_tags":1"#)),
      refused,
      .text(
        105, startedAt: noon + 5 * second,
        request: #"{"key":"bot","identity":{"id":"eve","tags":["vip"]},"invoke_options":{"mock_response":"x"}}"#),
    ]
  }

  /// The numbers of the calls that a filter lets through, oldest first.
  private func found(_ change: (inout CallFilter) throws -> Void) throws -> [UInt64] {
    let (test, engine) = try engine(calls())
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    try change(&filter)
    let entries = try engine.entries(filter, sort: .oldest)
    #expect(try engine.calls(filter, sort: .oldest).map { $0["call_id"]?.string } == entries.map { $0.id.description })
    return entries.map { $0.id.high & 0xFFFF }
  }

  @Test func noConditionIsAllCallsAlsoMockOnes() throws { #expect(try found { _ in } == [1, 2, 3, 4, 105]) }

  @Test func aTraceIsThatOfTheTelemetryOrOfTheTraceparent() throws {
    #expect(try found { $0.trace = TestCall(1, startedAt: 0).traceID } == [1, 2, 3])
    #expect(try found { $0.trace = "0AF7651916CD43DD8448EB211C80319C" } == [4])
    #expect(try found { $0.trace = "none" } == [])
  }

  @Test func namesAreExact() throws {
    #expect(try found { $0.span = TestCall(2, startedAt: 0).spanID } == [2])
    #expect(try found { $0.thread = "t1" } == [1])
    #expect(try found { $0.deployment = "other" } == [2])
    #expect(try found { $0.model = "gpt-4o" } == [1, 2, 3, 105])
    #expect(try found { $0.provider = "open" } == [])
    #expect(try found { $0.state = .timeout } == [3])
    #expect(try found { $0.tag = "red" } == [1])
    #expect(try found { $0.identityTag = "vip" } == [105])
    #expect(try found { $0.identityTag = "red" } == [])
  }

  @Test func anEmailMeansItsIdentityAlsoInCallsWithoutIt() throws {
    #expect(try found { $0.identity = "ada" } == [1, 2])
    #expect(try found { $0.identity = "ada@EXAMPLE.com" } == [1, 2])
    #expect(try found { $0.identity = "example.com" } == [])
  }

  @Test(
    arguments: [
      ("team=blue", [1]), ("n=3", [1]), ("dry=true", [1]), ("dry=1", []), ("team=", []), ("none=x", []),
      ("team=bl%", []),
    ] as [(String, [UInt64])])
  func metadataIsComparedAsText(pair: String, expected: [UInt64]) throws {
    #expect(try found { $0.metadata = [try MetadataFilter(parsing: pair)] } == expected)
  }

  @Test(arguments: ["team", "=blue", ""])
  func metadataWithoutKeyOrValueIsRefused(text: String) {
    let error = #expect(throws: TapeError.self) { try MetadataFilter(parsing: text) }
    #expect(error?.code == .usage)
  }

  @Test(
    arguments: [
      ("数据", [1]), ("据处", [1]), ("完成", [1]), ("成完", []), ("REFUND policy", [2]), ("policy refund", []),
      ("policy, please", [2]), ("\"", []), (", please", [2]), ("款数据处", [1]), ("' OR 1=1 --", []), ("refund*", [2]),
    ] as [(String, [UInt64])])
  func aPhraseIsFoundInAnyScript(phrase: String, expected: [UInt64]) throws {
    #expect(try found { $0.text = phrase } == expected)
  }

  @Test func aPhraseWithoutWordsIsComparedByItsBytes() throws {
    #expect(try found { $0.text = "," } == [2])
  }

  @Test func timesAndLengths() throws {
    #expect(
      try found {
        $0.from = noon + 2 * second
        $0.to = noon + 4 * second
      } == [2, 3])
    #expect(try found { $0.minDurationNs = 41_000_000 } == [1, 2, 105])
  }

  @Test func mockCallsCanBeLeftOut() throws { #expect(try found { $0.mock = .exclude } == [1, 2, 3, 4]) }

  @Test func severalConditionsMustAllHold() throws {
    #expect(
      try found {
        $0.identity = "ada"
        $0.deployment = "bot"
        $0.text = "数据"
      } == [1])
  }

  @Test func aConditionInSQLIsOverTheViewOfCalls() throws {
    #expect(try found { $0.whereSQL = "duration_ms > 20 AND NOT mock -- long ones" } == [1, 2])
  }

  @Test(arguments: ["nonsense", "1) OR", "1; DROP TABLE calls", "", "state ="])
  func aConditionThatIsNoneIsBadUsage(condition: String) throws {
    let error = #expect(throws: TapeError.self) { try found { $0.whereSQL = condition } }
    #expect(error?.code == .usage)
  }

  @Test func sortsAndLimits() throws {
    let (test, engine) = try engine(calls())
    defer { withExtendedLifetime(test) {} }
    func order(_ sort: CallSort, _ limit: Int?) throws -> [UInt64] {
      try engine.entries(CallFilter(), sort: sort, limit: limit).map { $0.id.high & 0xFFFF }
    }
    #expect(try order(.newest, 2) == [105, 4])
    #expect(try order(.oldest, 2) == [1, 2])
    #expect(try order(.longest, 4) == [105, 2, 1, 3])
    #expect(try order(.newest, 0) == [])
  }
}
