package import HTTPTypes
package import TapeQuery
package import TapeTypes

/// What a request is answered with when it cannot be answered.
package struct WebError: Error, Sendable, Equatable {
  package var status: HTTPResponse.Status
  /// For programs.
  package var code: String
  /// For people.
  package var message: String
  /// The parameter that is wrong; nil for none.
  package var field: String?

  package init(_ status: HTTPResponse.Status, _ code: String, _ message: String, field: String? = nil) {
    self.status = status
    self.code = code
    self.message = message
    self.field = field
  }

  package static func field(_ name: String, _ message: String) -> WebError {
    WebError(.badRequest, "bad_request", message, field: name)
  }

  /// A field, named as parameters of URLs are.
  package init(_ error: FieldError) {
    var message = error.error.description
    if message.hasPrefix("--") { message.removeFirst(2) }
    self = .field(error.field, message)
  }

  package init(_ error: TapeError) {
    let (status, code): (HTTPResponse.Status, String) =
      switch error.code {
      case .usage: (.badRequest, "bad_request")
      case .notFound: (.notFound, "not_found")
      case .erased: (.gone, "erased")
      case .catalogueMissing: (.serviceUnavailable, "catalogue_missing")
      case .catalogueStale: (.serviceUnavailable, "catalogue_stale")
      case .locked: (.serviceUnavailable, "locked")
      case .corrupt: (.internalServerError, "damaged")
      default: (.internalServerError, "failed")
      }
    self.init(status, code, error.description)
  }

  /// Whatever was thrown.
  package init(any error: any Error) {
    switch error {
    case let error as WebError: self = error
    case let error as FieldError: self.init(error)
    case let error as TapeError: self.init(error)
    default: self.init(.internalServerError, "failed", "the request failed: \(error)")
    }
  }
}
