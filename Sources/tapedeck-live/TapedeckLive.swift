internal import ArgumentParser
internal import TapeCommands

/// The same `tapedeck` with the commands that record and serve.
struct TapedeckLive: ParsableCommand {
  static let configuration = Tapedeck.rootConfiguration(
    record: [DemoCommand.self, RecordCommand.self, ServeCommand.self, RunCommand.self, ImportCommand.self],
    replay: LiveReplayCommand.self, export: LiveExportCommand.self)
}
