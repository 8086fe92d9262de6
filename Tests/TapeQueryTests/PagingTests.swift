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
}
