internal import ArgumentParser
internal import TapeConfiguration
internal import TapeTypes

/// `tapedeck config`
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "The configuration file.", discussion: "Example: tapedeck config check",
    subcommands: [Check.self])

  /// `tapedeck config check`
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Say whether a configuration file can be used, and what it sets.",
      discussion: "Example: tapedeck config check ./tapedeck.toml")

    @Argument(help: "The file (default: the one that the other commands read).") var file: String?
    @OptionGroup var store: StoreOption

    func run() throws {
      let loaded = try file.map { try Configuration.read($0) } ?? Configuration.load(store.config)
      guard let path = loaded.path else {
        throw TapeError(
          .usage, "there is no configuration file: name one, or see schema/config.md for where it is read")
      }
      for key in Configuration.keys {
        guard let value = loaded.text(key.name) else { continue }
        let shown = key.name == "upstream" ? Route.shown(upstream: value) : value
        StandardOutput.write("\(key.name) = \(key.isSecret ? "(set)" : TerminalText.escaped(shown))\n")
      }
      for route in loaded.routes {
        StandardOutput.write("route: \(route.prefix) -> \(TerminalText.escaped(route.shownUpstream))\n")
      }
      if !loaded.redactions.isEmpty { StandardOutput.write("redact: \(loaded.redactions.count) rules\n") }
      StandardOutput.note("tapedeck: \(path) is fine")
    }
  }
}
