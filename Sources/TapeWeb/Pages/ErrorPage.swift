internal import HTTPTypes
internal import Hummingbird
internal import TapeJSON

/// What is said when a request cannot be answered: JSON to programs, a page that helps to people.
enum ErrorPage {
  static func response(_ error: WebError, path: String) -> Response {
    var response = path.hasPrefix("/api/") ? json(error) : page(error)
    if error.status == .serviceUnavailable { response.headers[.retryAfter] = "5" }
    return response
  }

  private static func json(_ error: WebError) -> Response {
    let value: JSONValue = [
      "error": ["code": .string(error.code), "field": .string(error.field), "message": .string(error.message)]
    ]
    return .text(error.status, "application/json", value.compactString + "\n")
  }

  private static func page(_ error: WebError) -> Response {
    var data = PageData()
    data["title"] = title(error)
    data["message"] = error.message
    data["field"] = error.field
    data[flag: "isMissing"] = error.status == .notFound
    data[flag: "isCatalogue"] = error.code.hasPrefix("catalogue")
    return Templates.page("error", title: title(error), status: error.status, data)
  }

  private static func title(_ error: WebError) -> String {
    switch error.status {
    case .badRequest: "That cannot be read"
    case .notFound: "Nothing here"
    case .gone: "Erased"
    case .serviceUnavailable: error.code.hasPrefix("catalogue") ? "No catalogue to ask" : "Not now"
    case .misdirectedRequest: "Not by this name"
    case .methodNotAllowed: "Not like this"
    default: "That went wrong"
    }
  }
}
