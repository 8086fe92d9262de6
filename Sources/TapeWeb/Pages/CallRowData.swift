internal import TapeJSON
internal import TapeQuery

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
