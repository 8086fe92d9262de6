import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

/// Lists that go on where another one ended.
@Suite struct PagingTests {
  /// Several start at the same moment; some have no length.
  private func calls(_ count: Int) -> [TestCall] {
    (1...count).map { number in
      let started = noon + Int64(number / 3) * second
      return number % 5 == 0
        ? .refused(number, startedAt: started)
        : .text(number, startedAt: started, Array(repeating: "a", count: number % 4 + 1), request: request("ada"))
    }
  }

  private func ids(
    _ engine: QueryEngine, _ filter: CallFilter, _ sort: CallSort, after: CallEntry? = nil, limit: Int? = nil
  ) throws -> [String] {
    var ids: [String] = []
    try engine.forEachCall(filter, sort: sort, after: after, limit: limit) { ids.append($0["call_id"]?.string ?? "") }
    return ids
  }

  @Test(arguments: CallSort.allCases)
  func pagesJoinToTheWholeList(sort: CallSort) throws {
    let (test, engine) = try engine(calls(31))
    defer { withExtendedLifetime(test) {} }
    var filter = CallFilter()
    for condition in [nil, "duration_ms IS NOT NULL OR state <> 'done'"] {
      filter.condition = try condition.map(SQLCondition.init)
      let whole = try ids(engine, filter, sort)
      #expect(whole.count == 31 && Set(whole).count == 31)
      #expect(try engine.entries(filter, sort: sort).map(\.id.description) == whole)
      var joined: [String] = []
      var last: CallEntry?
      while true {
        let page = try ids(engine, filter, sort, after: last, limit: 4)
        joined += page
        guard let end = page.last else { break }
        last = try engine.resolve(end)
      }
      #expect(joined == whole)
    }
  }

  @Test func aListOfMoreThanOneBatchIsWhole() throws {
    let (test, engine) = try engine(calls(700))
    defer { withExtendedLifetime(test) {} }
    for sort in CallSort.allCases {
      let whole = try engine.entries(CallFilter(), sort: sort).map(\.id.description)
      #expect(whole.count == 700)
      #expect(try ids(engine, CallFilter(), sort) == whole)
      #expect(try ids(engine, CallFilter(), sort, limit: 300) == Array(whole.prefix(300)))
    }
  }

  /// What no index answers is looked for in blocks of facts. A condition makes SQL go through the rows.
  @Test func theFirstCallsAreThoseThatSQLFinds() throws {
    let changes: [(inout CallFilter) -> Void] = [
      { _ in }, { $0.model = "gpt-4o" }, { $0.model = "nobody has it" }, { $0.provider = "openai" },
      { $0.minDurationNs = 45_000_000 }, { ($0.deployment, $0.state) = ("bot", .done) },
      { ($0.model, $0.from, $0.to) = ("gpt-4o", noon + 90 * second, noon + 200 * second) },
      { ($0.provider, $0.mock) = ("openai", .exclude) },
    ]
    // Enough to be in blocks; some started at the same moment, some have no numbers.
    let calls = (1...600).map { number in
      let started = noon + Int64(number / 3) * second
      if number % 5 == 0 { return TestCall.refused(number, startedAt: started) }
      let usage = number % 7 == 0 ? nil : TestUsage(number * 37 % 50, 1)
      let mock = number % 11 == 0 ? #","invoke_options":{"mock_response":"a"}"# : ""
      return .text(
        number, startedAt: started, Array(repeating: "a", count: number % 4 + 1), request: request("ada", extra: mock),
        usage: usage)
    }
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    for change in changes {
      var filter = CallFilter()
      change(&filter)
      for sort in CallSort.allCases { try check(engine, filter, sort) }
    }
  }

  private func check(_ engine: QueryEngine, _ filter: CallFilter, _ sort: CallSort) throws {
    var scanned = filter
    scanned.condition = try SQLCondition("1")
    let whole = try engine.entries(scanned, sort: sort)
    #expect(whole.isEmpty == (filter.model == "nobody has it"))
    for limit in [1, 7, 200] {
      #expect(try engine.entries(filter, sort: sort, limit: limit) == Array(whole.prefix(limit)), "\(sort) \(filter)")
      for place in [0, 1, 50, 51, 52, whole.count - 1] where whole.indices.contains(place) {
        let behind = whole.dropFirst(place + 1).prefix(limit).map(\.id.description)
        #expect(
          try ids(engine, filter, sort, after: whole[place], limit: limit) == behind, "\(sort) \(place) \(filter)")
        let before = whole.prefix(place).suffix(limit).map(\.id.description)
        let found = try engine.calls(filter, sort: sort, before: whole[place], limit: limit)
        #expect(found.map { $0["call_id"]?.string } == before, "\(sort) \(place) \(filter)")
      }
    }
    #expect(try engine.count(filter, most: 1_000) == whole.count)
    #expect(try engine.count(filter, most: 3) == min(3, whole.count))
  }

  @Test func erasedCallsAreInNoListThoughTheirUsageCounts() throws {
    let calls = (1...400).map { TestCall.text($0, startedAt: noon + Int64($0) * second, usage: TestUsage($0, 1)) }
    let (test, engine) = try engine(calls)
    let most = try engine.entries(CallFilter(), sort: .tokens, limit: 30)
    _ = try Erasure(store: test.store, log: test.log).erase(most.prefix(20).map(\.id), keepUsage: true)
    try Indexer(store: test.store, log: test.log).run()
    #expect(try engine.usage(CallFilter(), by: []).calls == 400)
    #expect(try engine.entries(CallFilter(), sort: .tokens, limit: 10).map(\.id) == most.dropFirst(20).map(\.id))
  }

  /// Tags, words and texts that few, many and no calls have.
  @Test(
    arguments: [
      { $0.tags = ["often"] }, { $0.tags = ["rare"] }, { $0.tags = ["often", "even"] }, { $0.text = "refund" },
      { $0.text = "polic*" }, { $0.text = "zebra" }, { $0.text = "***" }, { $0.phrase = "the refund" },
      { ($0.tags, $0.text, $0.identity) = (["even"], "refund", "Bob@example.com") },
      { ($0.text, $0.from, $0.to) = ("refund", noon + 5 * second, noon + 30 * second) },
      { ($0.text, $0.condition) = ("refund", try SQLCondition("state = 'done' AND total_tokens > 100")) },
      { $0.identity = "bob" }, { $0.identity = "nobody" },
    ] as [@Sendable (inout CallFilter) throws -> Void])
  func stretchByStretchTheListIsTheSame(change: @Sendable (inout CallFilter) throws -> Void) throws {
    let calls = (1...90).map { number in
      let tags = [number % 10 == 3 ? nil : "often", number == 40 ? "rare" : nil, number % 2 == 0 ? "even" : nil]
      let question = number % 3 == 0 ? "what is the refund policy" : number % 7 == 0 ? "*** what" : "hi"
      let asked = request(
        number % 4 == 0 ? "bob" : "ada", email: number == 8 ? "bob@example.com" : nil, thread: "t",
        tags: tags.compactMap { $0 }, question: question)
      return TestCall.text(
        number, startedAt: noon + Int64(number / 3) * second, request: asked, usage: TestUsage(number * 3, 1))
    }
    let (test, _) = try engine(calls)
    let whole = try QueryEngine(store: test.store)
    let pieces = try QueryEngine(store: test.store, window: 4)
    var filter = CallFilter()
    try change(&filter)
    for sort in CallSort.allCases {
      let all = try whole.entries(filter, sort: sort)
      #expect(try ids(pieces, filter, sort) == all.map(\.id.description))
      for limit in [1, 5, 50, 1_000] {
        #expect(try pieces.entries(filter, sort: sort, limit: limit) == Array(all.prefix(limit)))
        guard let place = all.dropFirst(2).first else { continue }
        #expect(
          try ids(pieces, filter, sort, after: place, limit: limit)
            == all.dropFirst(3).prefix(limit).map(\.id.description))
      }
    }
    var streamed: [CallEntry] = []
    try pieces.forEachEntry(filter) { streamed.append($0) }
    #expect(try streamed == whole.entries(filter, sort: .oldest))
    if filter.phrase != nil {
      var found: [String] = []
      try pieces.search(filter) { found.append($0.names.first?.value.string ?? "") }
      #expect(try found == whole.entries(filter).map(\.id.description))
    }
  }
}
