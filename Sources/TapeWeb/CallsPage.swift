internal import Foundation
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
    let content =
      rows.isEmpty
      ? "<p>\(Self.escaped(empty))</p>" : "<table><thead><tr>\(head)</tr></thead><tbody>\n\(body)</tbody></table>"
    // The page around it is dashboards/web/calls.html.
    let page = String(decoding: PackageResources.calls_html, as: UTF8.self)
    guard let place = page.range(of: "{{content}}") else { return page }
    return page.replacingCharacters(in: place, with: content)
  }

  private static func text(_ row: JSONValue, _ path: [String]) -> String {
    switch path.reduce(Optional(row), { $0?[$1] }) {
    // To the second; the row's id is the exact name.
    case .string(let text) where path == ["started_at"]:
      text.prefix(19).split(separator: "T").joined(separator: " ") + " UTC"
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
