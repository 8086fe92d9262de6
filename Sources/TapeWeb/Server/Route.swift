package import HTTPTypes
package import Hummingbird

/// What is answered at a path.
package struct Route: Sendable {
  package typealias Answer = @Sendable (WebRequest) async throws -> Response

  let method: HTTPRequest.Method
  /// Segments; nil stands for any one.
  let path: [String?]
  /// Also answered to who has no token.
  let isOpen: Bool
  let answer: Answer

  /// - Parameter path: such as `/calls/*/replay`; `*` is any one segment.
  package init(_ method: HTTPRequest.Method, _ path: String, isOpen: Bool = false, _ answer: @escaping Answer) {
    self.method = method
    self.path = path.split(separator: "/").map { $0 == "*" ? nil : String($0) }
    self.isOpen = isOpen
    self.answer = answer
  }

  func matches(_ segments: [Substring]) -> Bool {
    segments.count == path.count
      && zip(path, segments).allSatisfy { wanted, segment in wanted.map { $0 == segment } ?? true }
  }
}

/// A request, as pages see it.
package struct WebRequest: Sendable {
  package let method: HTTPRequest.Method
  /// As it was sent.
  package let path: String
  /// What stands in place of each `*`, decoded.
  package let segments: [String]
  package let query: QueryItems
  package let headers: HTTPFields
  let body: RequestBody

  /// The fields of a form.
  func form() async throws -> QueryItems {
    var buffer = try await body.collect(upTo: 16 << 10)
    return try QueryItems(buffer.readString(length: buffer.readableBytes) ?? "")
  }
}
