/// By what a request finds its recording.
package enum RequestMatch: String, CaseIterable, Sendable {
  /// Its body.
  case body
  /// The deployment key in it.
  case key
  /// Its turn.
  case sequence
}
