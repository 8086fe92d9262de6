internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  /// What a list of calls is asked for.
  struct ListQuestion: Sendable {
    static let names = QueryItems.filterNames + ["sort", "after", "limit", "hide"]
    static let usualLimit = 50

    let items: QueryItems
    let filter: CallFilter
    let sort: CallSort
    let after: String?
    let limit: Int

    init(_ items: QueryItems) throws {
      let items = items.filled
      try items.check(known: Self.names)
      self.items = items
      filter = try items.filter()
      sort = try CallSort(parameter: items.one("sort"))
      after = try items.one("after")
      limit = try items.number("limit", 1...500) ?? Self.usualLimit
    }
  }

  func calls(_ request: WebRequest) async throws -> Response {
    let question = try ListQuestion(request.query)
    let found = try await desk.ask { engine in try CallList(engine, question) }
    return Templates.page(
      "calls", title: "Calls", section: "calls", CallsPage(question: question, found: found).data)
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
  var hasMore = false
  var isStale = false
  /// Nothing was recorded yet.
  var isStoreEmpty = false

  init() {}

  init(_ engine: QueryEngine, _ question: Pages.ListQuestion) throws {
    let place = try question.after.map(engine.resolve)
    try engine.forEachCall(question.filter, sort: question.sort, after: place, limit: question.limit + 1) {
      calls.append($0)
    }
    hasMore = calls.count > question.limit
    if hasMore { calls.removeLast() }
    if question.filter.text != nil, !calls.isEmpty {
      var filter = question.filter
      filter.phrase = filter.text
      filter.text = nil
      try engine.search(filter, sort: question.sort, after: place, limit: question.limit) { found in
        if let id = found.names.first(where: { $0.key == "call_id" })?.value.string { snippets[id] = found.snippets }
      }
    }
    isStale = engine.isStale
    if calls.isEmpty { isStoreEmpty = try engine.entries(CallFilter(), limit: 1).isEmpty }
  }
}

/// The list of calls.
struct CallsPage {
  let question: Pages.ListQuestion
  let found: CallList

  var data: PageData {
    var data = PageData()
    fillForm(&data)
    data[list: "columns"] = heads
    data[html: "rows"] = rows(found.calls)
    data[flag: "hasRows"] = !found.calls.isEmpty
    data[flag: "isStoreEmpty"] = found.isStoreEmpty
    data[flag: "isFiltered"] = !question.filter.isEmpty || question.after != nil
    data[flag: "isStale"] = found.isStale
    data["count"] = found.calls.count == 1 ? "1 call" : "\(found.calls.count) calls"
    let base = question.items.without("after")
    if found.hasMore, let last = found.calls.last?["call_id"]?.string {
      data["next"] = Links.path("/", question.items.with("after", last))
    }
    if question.after != nil { data["first"] = Links.path("/", base) }
    if question.sort == .newest, question.after == nil {
      data["live"] = Links.path("/live", base.without("limit", "sort"))
    }
    data[list: "exports"] = ["csv", "ndjson", "json"].map { format in
      let items = base.without("hide", "limit").with("format", format)
      return PageData(["name": format.uppercased(), "href": Links.path("/api/v1/calls", items)])
    }
    return data
  }

  // MARK: Filters

  private static let plainFields = [
    "text", "deployment", "model", "provider", "identity", "thread", "from", "to", "trace", "span", "min-duration",
    "where", "tz",
  ]
  private static let repeated = ["tag", "identity-tag", "meta"]
  private static let ages = [("1h", "Last hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")]

  private func fillForm(_ data: inout PageData) {
    let items = question.items
    for name in Self.plainFields { data[name] = items.all(name).first }
    for name in Self.repeated { data[name] = items.all(name).first }
    data[list: "states"] = CallState.allCases.map { state in
      var option = PageData(["value": state.rawValue, "name": StateMark.words(state.rawValue)])
      option[flag: "isChosen"] = question.filter.state == state
      return option
    }
    data[list: "sorts"] = CallSort.allCases.map { sort in
      var option = PageData(["value": sort.rawValue, "name": Self.name(of: sort)])
      option[flag: "isChosen"] = question.sort == sort
      return option
    }
    data[list: "ages"] = Self.ages.map { age, name in
      var option = PageData(["name": name, "href": Links.path("/", items.without("after", "to").with("from", age))])
      option[flag: "isChosen"] = items.all("from") == [age]
      return option
    }
    data[list: "chips"] = chips
    let more = ["provider", "from", "to", "trace", "span", "min-duration", "where", "tz"] + Self.repeated
    data[flag: "isMoreOpen"] = items.items.contains {
      more.contains($0.name) && !($0.name == "from" && isAge($0.value))
    }
    // Repeated ones beyond the first stay, as do choices that the form has no field for.
    data[list: "kept"] = items.items.enumerated().filter { place, item in
      item.name == "limit" || item.name == "mock"
        || Self.repeated.contains(item.name) && items.items.firstIndex { $0.name == item.name } != place
    }.map { PageData(["name": $0.element.name, "value": $0.element.value]) }
    data[list: "hides"] = Self.columns.filter { $0.canHide }.map { column in
      var option = PageData(["value": column.key, "name": column.title])
      option[flag: "isHidden"] = isHidden(column)
      return option
    }
  }

  private func isAge(_ text: String) -> Bool { Self.ages.contains { $0.0 == text } }

  /// Each filter with a way to be rid of it.
  private var chips: [PageData] {
    question.items.items.enumerated().filter { QueryItems.filterNames.contains($0.element.name) }.map { place, item in
      var rest = question.items.without("after")
      if let index = rest.items.firstIndex(where: { $0.name == item.name && $0.value == item.value }) {
        rest.items.remove(at: index)
      }
      return PageData(["name": item.name, "value": item.value, "href": Links.path("/", rest)])
    }
  }

  private static func name(of sort: CallSort) -> String {
    switch sort {
    case .newest: "Newest"
    case .oldest: "Oldest"
    case .longest: "Longest"
    case .tokens: "Most tokens"
    case .ttft: "Slowest first token"
    }
  }

  // MARK: Table

  struct Column {
    var key: String
    var title: String
    var isNumber = false
    var canHide = true
    /// What a click on the title sorts by.
    var sort: CallSort?
  }

  static let columns = [
    Column(key: "started", title: "Started", canHide: false, sort: .newest), Column(key: "state", title: "State"),
    Column(key: "deployment", title: "Deployment"), Column(key: "model", title: "Model"),
    Column(key: "identity", title: "Identity"), Column(key: "thread", title: "Thread"),
    Column(key: "tokens", title: "Tokens", isNumber: true, sort: .tokens),
    Column(key: "cost", title: "Cost", isNumber: true),
    Column(key: "ttft", title: "TTFT", isNumber: true, sort: .ttft),
    Column(key: "took", title: "Took", isNumber: true, sort: .longest),
    Column(key: "text", title: "Answer"),
  ]

  private func isHidden(_ column: Column) -> Bool {
    column.canHide && question.items.all("hide").contains(column.key)
  }

  private var shownColumns: [Column] { Self.columns.filter { !isHidden($0) } }

  private var heads: [PageData] {
    shownColumns.map { column in
      var data = PageData(["title": column.title, "key": column.key])
      data[flag: "isNumber"] = column.isNumber
      if let sort = column.sort {
        let next: CallSort = sort == .newest && question.sort == .newest ? .oldest : sort
        data["href"] = Links.path("/", question.items.without("after").with("sort", next.rawValue))
        let isAscending = question.sort == .oldest && sort == .newest
        if question.sort == sort || isAscending { data["order"] = isAscending ? "ascending" : "descending" }
      }
      return data
    }
  }

  func rows(_ calls: [JSONValue]) -> HTML {
    var data = PageData()
    let columns = shownColumns
    data[list: "rows"] = calls.map { call in
      let id = call["call_id"]?.string ?? ""
      return CallRowData(call: call, snippets: found.snippets[id] ?? []).data(columns.map(\.key))
    }
    return Templates.html("rows", data)
  }
}

/// One call of a list.
struct CallRowData {
  let call: JSONValue
  let snippets: [Snippet]

  func data(_ columns: [String]) -> PageData {
    let id = call["call_id"]?.string ?? ""
    var data = PageData(["id": id, "rowHref": Links.call(id)])
    data[list: "cells"] = columns.map { key in
      var cell = PageData(["key": key])
      cell[flag: "is-" + key] = true
      fill(&cell, key, id)
      return cell
    }
    return data
  }

  private func fill(_ cell: inout PageData, _ key: String, _ id: String) {
    switch key {
    case "started":
      cell["text"] = Show.time(call["started_at"])
      cell["exact"] = call["started_at"]?.string
      cell["href"] = Links.call(id)
    case "state":
      let state = call["state"]?.string ?? ""
      cell["text"] = StateMark.words(state)
      cell["style"] = StateMark.style(state)
      cell["exact"] = call.at("error", "message")?.string.map { Show.cut($0, to: 500) }
      cell[flag: "isMock"] = call["mock"]?.bool == true
      cell[flag: "hasDefects"] = call["defects"]?.array?.isEmpty == false
    case "deployment": name(&cell, "deployment", "deployment")
    case "model":
      name(&cell, "model", "model")
      cell["exact"] = call["provider"]?.string
    case "identity": name(&cell, "identity_id", "identity")
    case "thread":
      cell["text"] = call["thread_id"]?.string.map { Show.cut($0) }
      cell["href"] = call["thread_id"]?.string.map(Links.thread)
    case "tokens":
      cell["text"] = Show.count(call.at("usage", "total_tokens"))
    case "cost":
      cell["text"] = Show.usd(call.at("cost", "total_usd"))
      cell["exact"] =
        call.at("cost", "total_usd")?.string.map { "\($0) USD" } ?? call.at("cost_unknown", "message")?.string
    case "ttft": cell["text"] = Show.duration(call.at("timings", "first_content_ms"))
    case "took": cell["text"] = Show.duration(call.at("timings", "duration_ms"))
    default: fillText(&cell)
    }
  }

  private func name(_ cell: inout PageData, _ key: String, _ filter: String) {
    let text = call[key]?.string
    cell["text"] = text.map { Show.cut($0) }
    cell["href"] = text.map { Links.calls([(filter, $0)]) }
  }

  private func fillText(_ cell: inout PageData) {
    if snippets.isEmpty {
      cell["text"] = call["text"]?.string ?? call.at("error", "message")?.string.map { Show.cut($0, to: 500) }
    } else {
      cell[list: "snippets"] = snippets.map { snippet in
        var data = PageData(["place": snippet.place.rawValue])
        data[list: "parts"] = snippet.parts.map { part in
          var piece = PageData(["text": part.text])
          piece[flag: "isMatch"] = part.isMatch
          return piece
        }
        return data
      }
    }
  }
}
