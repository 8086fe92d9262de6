internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  /// What a list of calls is asked for.
  struct ListQuestion: Sendable {
    static let names = QueryItems.filterNames + ["sort", "after", "before", "limit", "hide"]
    static let usualLimit = 50

    let items: QueryItems
    let filter: CallFilter
    let sort: CallSort
    /// The call that the page is behind.
    let after: String?
    /// The call that the page is before.
    let before: String?
    let limit: Int

    init(_ items: QueryItems) throws {
      let items = items.filled
      try items.check(known: Self.names)
      self.items = items
      filter = try items.filter()
      sort = try CallSort(parameter: items.one("sort"))
      after = try items.one("after")
      before = try items.one("before")
      if after != nil, before != nil { throw WebError.field("before", "before and after are not given together") }
      limit = try items.number("limit", 1...500) ?? Self.usualLimit
    }

    /// The same list from its first page.
    var fromStart: QueryItems { items.without("after", "before") }
  }
}

extension CallSort {
  /// - Throws: `WebError` 400.
  init(parameter: String?) throws {
    guard let parameter else {
      self = .newest
      return
    }
    guard let sort = CallSort(rawValue: parameter) else {
      let known = CallSort.allCases.map(\.rawValue)
      throw WebError.field("sort", "sort takes one of \(known.joined(separator: ", ")), not '\(parameter)'")
    }
    self = sort
  }
}

/// The calls of one page of the list.
struct CallList: Sendable {
  var calls: [JSONValue] = []
  /// Where the words that were looked for stand, by call.
  var snippets: [String: [Snippet]] = [:]
  /// There are calls before those of this page.
  var hasBefore = false
  var hasMore = false
  var isStale = false
  /// Nothing was recorded yet.
  var isStoreEmpty = false

  init() {}

  init(_ engine: QueryEngine, _ question: Pages.ListQuestion) throws {
    if let before = try question.before.map(engine.resolve) {
      calls = try engine.calls(question.filter, sort: question.sort, before: before, limit: question.limit + 1)
      (hasBefore, hasMore) = (calls.count > question.limit, true)
      if hasBefore { calls.removeFirst() }
    }
    // With nothing before it a page is the first one, as long as that is by now.
    if !hasBefore {
      let place = try question.after.map(engine.resolve)
      calls = []
      try engine.forEachCall(question.filter, sort: question.sort, after: place, limit: question.limit + 1) {
        calls.append($0)
      }
      (hasBefore, hasMore) = (place != nil, calls.count > question.limit)
      if hasMore { calls.removeLast() }
    }
    if let text = question.filter.text {
      snippets = try engine.snippets(of: text, in: calls.compactMap { $0["call_id"]?.string })
    }
    isStale = engine.isStale
    if calls.isEmpty { isStoreEmpty = try engine.entries(CallFilter(), limit: 1).isEmpty }
  }
}
