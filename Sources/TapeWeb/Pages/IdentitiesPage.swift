internal import Hummingbird
internal import TapeJSON
internal import TapeQuery
internal import TapeTypes

extension Pages {
  func identities(_ request: WebRequest) async throws -> Response {
    let items = request.query.filled
    try items.check(known: ["identity", "age", "top"])
    let question = try UsageQuestion(items.with("by", "identity").with("age", items.one("age") ?? "30d"))
    let settled = try await desk.ask { try question.settled($0) }
    let key = KeptPages.Key(path: "/identities", query: settled.items.text, filter: settled.filter)
    let data = try await desk.page(key) {
      try await desk.ask { engine in try IdentitiesPage(question: settled).html(engine) }
    }
    return Templates.frame(title: "Identities", section: "identities", data)
  }
}

/// Who asked: names, when they were seen, what they used.
struct IdentitiesPage {
  let question: Pages.UsageQuestion

  func html(_ engine: QueryEngine) throws -> HTML {
    let answer = try engine.usage(question.filter, by: [.identity])
    var data = PageData()
    data["identity"] = question.items.all("identity").first
    data[list: "ages"] = Pages.UsageQuestion.ages.map { age, name in
      let items = question.items.without("by").with("age", age)
      var option = PageData(["name": name, "href": Links.path("/identities", items)])
      option[flag: "isChosen"] = question.age == age
      return option
    }
    data["age"] = question.age
    let most = answer.rows.first.flatMap { Show.number($0.at("cost_usd")) } ?? 0
    data[list: "rows"] = try answer.rows.prefix(question.top).map { row in
      var line = PageData()
      let id = row.at("group", "identity")?.string
      line["id"] = id
      if let id {
        let identity = try engine.identity(id)
        line["name"] = identity.at("display_name")?.string
        line["email"] = identity.at("email")?.string
        line["firstSeen"] = Show.time(identity["first_seen"])
        line["lastSeen"] = Show.time(identity["last_seen"])
        let tags = (identity["tags"]?.array ?? []).compactMap(\.string)
        line["tags"] = tags.isEmpty ? nil : tags.joined(separator: ", ")
        line["usage"] = "/usage?identity=\(URLText.encoded(id))&age=\(question.age ?? "all")"
        line["calls-href"] = Links.calls([("identity", id)])
      } else {
        line["calls-href"] = Links.calls([("where", "identity_id IS NULL")])
      }
      let calls = row["calls"]?.integer ?? 0
      line["calls"] = Show.count(calls)
      line["errors"] = Show.share(row["errors"]?.integer ?? 0, of: calls)
      line["tokens"] = Show.count(row.at("total_tokens")) ?? "–"
      line["cost"] = Show.usd(row.at("cost_usd")) ?? "unknown"
      line["costExact"] = row.at("cost_usd")?.string
      line["width"] = Show.plain(most > 0 ? (Show.number(row.at("cost_usd")) ?? 0) / most * 100 : 0)
      return line
    }
    data["shown"] = "\(Show.count(min(question.top, answer.rows.count))) of \(Show.count(answer.rows.count))"
    data["more"] =
      answer.rows.count > question.top
      ? Links.path("/identities", question.items.without("by").with("top", "1000")) : nil
    return Templates.html("identities", data)
  }
}
