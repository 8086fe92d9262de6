package import ArgumentParser

/// `tapedeck`: asks the archive and the catalogue itself, and becomes `tapedeck-live` for the rest.
package struct Tapedeck: ParsableCommand {
  package static let configuration = rootConfiguration(
    record: [DemoStub.self, RecordStub.self, ServeStub.self, RunStub.self, ImportStub.self], replay: ReplayCommand.self,
    export: ExportCommand.self)

  package init() {}

  /// The root command of either executable; they differ in who carries out the commands that record or send.
  package static func rootConfiguration(
    record: [any ParsableCommand.Type], replay: any ParsableCommand.Type, export: any ParsableCommand.Type
  ) -> CommandConfiguration {
    CommandConfiguration(
      commandName: "tapedeck",
      abstract: "A flight recorder for LLM streams.",
      discussion: """
        Point an SDK at `tapedeck serve`: every streamed generation is on tape, byte for byte and \
        timed, and can be found, rebuilt, replayed and added up. Try `tapedeck demo` first.
        """,
      version: Entry.version,
      groupedSubcommands: [
        CommandGroup(
          name: "Record",
          subcommands: record + [IndexCommand.self, SealCommand.self, RepackCommand.self, ConfigCommand.self]),
        CommandGroup(
          name: "Ask",
          subcommands: [
            CallsCommand.self, ShowCommand.self, ThreadCommand.self, TraceCommand.self, FramesCommand.self,
            EventsCommand.self, CatCommand.self, DiffCommand.self, SearchCommand.self, replay,
            UsageCommand.self, PricesCommand.self, export,
            StatusCommand.self,
          ]),
        CommandGroup(
          name: "Trust",
          subcommands: [VerifyCommand.self, CheckpointCommand.self, ProofCommand.self, EraseCommand.self]),
      ])
  }

  /// True when the arguments ask for help on a command of the other executable.
  package static func wantsLiveHelp(_ arguments: [String]) -> Bool {
    arguments.count >= 3 && arguments[1] == "help" && LiveCommand(rawValue: arguments[2]) != nil
  }

  package static func becomeLive() throws -> Never { try LiveCommand.exec() }
}
