internal import TapeJSON

/// A plain list of calls. Everything recorded is escaped: it comes from strangers.
struct CallsPage {
  var rows: [JSONValue]
  var notice: String?

  var html: String {
    let columns: [(String, [String])] = [
      ("Call", ["call_id"]), ("Started", ["started_at"]), ("State", ["state"]), ("Deployment", ["deployment"]),
      ("Model", ["model"]), ("Identity", ["identity_id"]), ("Thread", ["thread_id"]),
      ("Tokens", ["usage", "total_tokens"]), ("USD", ["cost", "total_usd"]), ("Text", ["text"]),
    ]
    let head = columns.map { "<th scope=\"col\">\($0.0)</th>" }.joined()
    let body = rows.map { row in
      "<tr>" + columns.map { "<td>\(Self.escaped(Self.text(row, $0.1)))</td>" }.joined() + "</tr>\n"
    }.joined()
    let empty = notice ?? "No calls yet. Point an SDK at the proxy, or run: tapedeck demo"
    let content = rows.isEmpty ? "<p>\(Self.escaped(empty))</p>" : "<table><thead><tr>\(head)</tr></thead><tbody>\n\(body)</tbody></table>"
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>tapedeck: calls</title>
      <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>
      <body><h1>Calls</h1>
      \(content)
      </body></html>

      """
  }

  private static func text(_ row: JSONValue, _ path: [String]) -> String {
    switch path.reduce(Optional(row), { $0?[$1] }) {
    case .string(let text): text
    case .number(let text): text
    default: ""
    }
  }

  static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
