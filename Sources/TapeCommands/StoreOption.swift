package import ArgumentParser
package import TapeConfiguration
package import TapeArchive
internal import Foundation

/// The `--store` flag.
package struct StoreOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The store: a directory of tapes and their catalogue.",
      discussion: "Default: $TAPEDECK_STORE, else $XDG_DATA_HOME/tapedeck, else ~/.local/share/tapedeck.",
      valueName: "dir"))
  package var store: String?
  @Option(
    help: ArgumentHelp(
      "The configuration file.",
      discussion: "Default: $XDG_CONFIG_HOME/tapedeck/config.toml, else ~/.config/tapedeck/config.toml.",
      valueName: "file"))
  package var config: String?

  package init() {}

  /// The flag, else the environment, else the configuration file, else the usual place.
  ///
  /// - Throws: `TapeError` `.usage` for a configuration file that makes no sense.
  package func path() throws -> String { try path(Configuration.load(config)) }

  package func path(_ configuration: Configuration) -> String {
    Store.locate(
      flag: configuration.setting("store", flag: store), environment: ProcessInfo.processInfo.environment)
  }

  /// The store for a command that changes it and has no business making one.
  ///
  /// - Throws: `TapeError` that says what is wrong with the directory.
  package func openExisting() throws -> Store {
    _ = try open(.reading)
    return try open(.writing)
  }

  /// - Throws: `TapeError` that says what is wrong with the directory.
  package func open(_ access: Store.Access) throws -> Store {
    try Store(path: path(), access: access)
  }
}
