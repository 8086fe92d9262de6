package import Logging

/// Log lines for people, on stderr.
package enum Console {
  package static var logger: Logger {
    Logger(label: "tapedeck") { _ in ConsoleHandler() }
  }
}

/// One line a message: `tapedeck: warning: …`. Info and quieter levels stay silent.
struct ConsoleHandler: LogHandler {
  var logLevel = Logger.Level.notice
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let more = event.metadata?.map { " \($0.key)=\($0.value)" }.sorted().joined() ?? ""
    let level = event.level == .notice ? "" : "\(event.level.rawValue): "
    StandardOutput.note(TerminalText.escaped("tapedeck: \(level)\(event.message)\(more)"))
  }
}
