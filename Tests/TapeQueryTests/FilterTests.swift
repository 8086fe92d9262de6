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
    #expect(try found { $0.tags = ["red"] } == [1])
    #expect(try found { $0.identityTags = ["vip"] } == [105])
    #expect(try found { $0.identityTags = ["red"] } == [])
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
    #expect(try found { $0.condition = try SQLCondition("duration_ms > 20 AND NOT mock -- long ones") } == [1, 2])
  }

  @Test func severalTagsMustAllBeThere() throws {
    #expect(try found { $0.tags = ["red", "red"] } == [1])
    #expect(try found { $0.tags = ["red", "blue"] } == [])
  }

  @Test(
    arguments: [
      ("model = 'gpt-4o' AND state = 'done'", [1, 2, 105]), ("is_error", [3, 4]),
      ("day = '2026-11-20'", [1, 2, 3, 4, 105]),
      ("metadata ->> '$.team' = 'blue'", [1]), ("v_calls.thread_id IS 't1'", [1]),
      ("EXISTS (SELECT 1 FROM json_each(thread_tags) WHERE value = 'red')", [1]),
      ("identity_id IN (SELECT identity_id FROM v_identities WHERE calls > 1)", [1, 2]),
      ("call_id IN (SELECT call_id FROM v_defects)", [3, 4]),
      (
        "started_ns = (SELECT min(o.started_ns) FROM v_calls o WHERE o.identity_id = v_calls.identity_id)", [1, 3, 105]
      ),
      ("CASE WHEN mock THEN 0 ELSE length(upper(model)) > 3 END /* all */", [1, 2, 3]),
      ("identity_id IN (WITH big AS (SELECT * FROM v_threads) SELECT 'ada' FROM big)", [1, 2]),
      ("(WITH big AS MATERIALIZED (SELECT 1 FROM v_calls) SELECT count(*) FROM big) = 5", [1, 2, 3, 4, 105]),
      ("0", []), ("model LIKE 'GPT%' AND path GLOB '*'", [1, 2, 3, 105]),
    ] as [(String, [UInt64])])
  func aConditionMayAskTheViews(condition: String, expected: [UInt64]) throws {
    #expect(try found { $0.condition = try SQLCondition(condition) } == expected)
  }

  @Test func aConditionGoesWithOtherFilters() throws {
    #expect(
      try found {
        $0.condition = try SQLCondition("duration_ms > 20 OR 1")
        $0.identity = "ada@example.com"
        $0.text = "refund"
        $0.from = noon
      } == [2])
  }

  @Test(
    arguments: [
      ("call_key IN (SELECT call_key FROM calls)", "calls"), ("EXISTS (SELECT 1 FROM call_text)", "call_text"),
      ("EXISTS (SELECT 1 FROM main.calls)", "calls"), ("(SELECT count(*) FROM sqlite_schema) > 0", "sqlite"),
      ("(SELECT count(*) FROM sqlite_master)", "sqlite_master"),
      ("(SELECT 1 FROM pragma_table_info('calls'))", "not allowed"),
      ("1 IN (SELECT file FROM sources)", "sources"), ("(SELECT count(*) FROM dbstat) > 0", "not allowed"),
      ("(SELECT count(*) FROM fts3tokenize) > 0", "not allowed"),
      ("(SELECT count(*) FROM sqlite_stmt) > 0", "not allowed"),
      ("(SELECT count(*) FROM pragma_function_list) > 0", "not allowed"),
      ("(SELECT 1 FROM pragma_database_list)", "not allowed"),
      ("EXISTS (WITH v_calls AS (SELECT * FROM calls) SELECT 1 FROM v_calls)", "calls"),
      ("EXISTS (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 FROM n)", "recursive"),
      ("load_extension('/tmp/x.so')", "load_extension()"), ("LOAD_EXTENSION('x', 'y')", "load_extension()"),
      ("randomblob(1000000000) IS NULL", "randomblob()"), ("zeroblob(9) IS NULL", "zeroblob()"),
      ("EXISTS (SELECT 1 FROM call_fts WHERE call_fts MATCH 'x')", "call_fts"),
      ("sqlite_version() > ''", "sqlite_version()"),
      ("1; DROP TABLE calls", "no second statement"), ("DELETE FROM calls", "DELETE is not allowed"),
      ("ATTACH '/tmp/x.db' AS x", "ATTACH is not allowed"), ("PRAGMA query_only = 0", "PRAGMA is not allowed"),
      ("INSERT INTO calls VALUES (1)", "INSERT is not allowed"), ("UPDATE calls SET mock = 1", "UPDATE is not allowed"),
      ("SELECT * FROM v_calls", "v_calls"), ("1 ORDER BY 1", "ORDER is not allowed"), ("1) OR (1", "syntax error"),
      ("1 THEN 1 END OR CASE WHEN 1", "syntax error"),
      ("1) UNION SELECT call_key FROM v_calls WHERE (1", "syntax error"),
      ("modle = 'x'", "did you mean model?"), ("v_calls.identityid = 'x'", "did you mean identity_id?"),
      ("c.model = 'x'", "no such column: c.model"), ("rowid = 1", "no such column"), ("model = ?", "parameter"),
      ("model = :name", "parameter"), ("nofunction(model)", "no such function"), ("state =", "syntax error"),
      ("state = \"done\"", "between single quotes: 'done'"), ("\"modle\" = 'x'", "did you mean model?"),
      ("", "it is empty"), (" \n", "it is empty"), ("-- only a remark", "syntax error"),
      ("1 /* no end", "incomplete input"),
      ("'no end", "'no end"),
      ("count(*) > 1", "aggregate"), ("model = 'x' LIMIT 1", "LIMIT is not allowed"), ("model\u{0} = 1", "NUL"),
    ])
  func aConditionThatIsNoneOrNotAllowedIsBadUsage(condition: String, says: String) {
    let error = #expect(throws: TapeError.self) { try SQLCondition(condition) }
    #expect(error?.code == .usage)
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test func aConditionThatFindsNothingForTooLongIsGivenUp() throws {
    let (test, _) = try engine(calls())
    let engine = try QueryEngine(store: test.store, mostSteps: 100_000)
    var filter = CallFilter()
    let join = (0..<12).map { "v_calls a\($0)" }.joined(separator: ", ")
    filter.condition = try SQLCondition("(SELECT count(*) FROM \(join)) < 0")
    let error = #expect(throws: TapeError.self) { try engine.calls(filter) }
    #expect(error?.code == .failed)
    #expect(error?.description.contains("gave up on --where") == true)
    // The limit went with the question.
    #expect(try engine.calls(CallFilter()).count == 5)
    filter.condition = try SQLCondition("1")
    #expect(try engine.calls(filter).count == 5)
  }

  @Test(
    arguments: [
      ("json_extract(model, '$') = 1", "malformed JSON"), ("abs(-9223372036854775807 - 1) = 1", "integer overflow"),
      ("replace(printf('%90000c', 'x'), ' ', printf('%9000c', 'x')) = 1", "too big"),
      ("model LIKE replace(hex(printf('%90000c', 'x')), '2', 'x')", "too complex"),
    ])
  func whatAConditionCannotMakeOfACallIsBadUsageAndNoDamage(condition: String, says: String) throws {
    let error = #expect(throws: TapeError.self) { try found { $0.condition = try SQLCondition(condition) } }
    #expect(error?.code == .usage)
    #expect(error?.description.contains("--where cannot be told of every call") == true)
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test func aTextThatAConditionMakesIsNotLargerThanMemoryAllows() throws {
    #expect(try found { $0.condition = try SQLCondition("length(printf('%.*c', 200000000, 'x')) > 0") } == [])
    #expect(try found { $0.condition = try SQLCondition("length(printf('%.*c', 100000, 'x')) > 0") }.count == 5)
  }

  @Test(arguments: ["nonsense", "1) OR", "1; DROP TABLE calls", "", "state ="])
  func aConditionThatIsNoneIsBadUsage(condition: String) throws {
    let error = #expect(throws: TapeError.self) { try found { $0.condition = try SQLCondition(condition) } }
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
