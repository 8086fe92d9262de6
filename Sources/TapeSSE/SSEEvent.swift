/// One dispatched event (WHATWG HTML 9.2.6).
package struct SSEEvent: Sendable, Equatable {
  /// `message` unless the block names another.
  package var event: String
  package var data: String
  /// The last event id at dispatch: sticky over blocks, "" when there is none.
  package var id: String
  /// The last valid `retry` of the same block, in ms.
  package var retry: Int?

  package init(event: String = "message", data: String, id: String = "", retry: Int? = nil) {
    self.event = event
    self.data = data
    self.id = id
    self.retry = retry
  }
}
