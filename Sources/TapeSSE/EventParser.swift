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

/// Reads bytes of an event stream, in any chunking, and dispatches events.
package struct EventParser: Sendable {
  package private(set) var lastEventID = ""
  /// The last valid `retry` of the stream, ms.
  package private(set) var reconnectionTimeMs: Int?

  package init() {}

  package mutating func feed(_ bytes: UnsafeRawBufferPointer, _ dispatch: (SSEEvent) -> Void) {}

  /// The body has ended; a block without its blank line is dropped, as the rules say.
  package mutating func finish() {}
}
