internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func calls(_ request: WebRequest) async throws -> Response {
    let question = try ListQuestion(request.query)
    let found = try await desk.ask { engine in try CallList(engine, question) }
    return Templates.page(
      "calls", title: "Calls", section: "calls", CallsPage(question: question, found: found).data)
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
    data[flag: "isStale"] = found.isStale
    data["count"] = found.calls.count == 1 ? "1 call" : "\(found.calls.count) calls"
    let base = question.fromStart
    if found.hasMore, let last = found.calls.last?["call_id"]?.string {
      data["next"] = Links.path("/", base.with("after", last))
    }
    if found.hasBefore, let first = found.calls.first?["call_id"]?.string {
      data["first"] = Links.path("/", base)
      data["previous"] = Links.path("/", base.with("before", first))
    }
    if question.sort == .newest, !found.hasBefore {
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
      var option = PageData(["name": name, "href": Links.path("/", question.fromStart.without("to").with("from", age))])
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
      var rest = question.fromStart
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
        data["href"] = Links.path("/", question.fromStart.with("sort", next.rawValue))
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
