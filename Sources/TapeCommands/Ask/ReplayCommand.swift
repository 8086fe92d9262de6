internal import ArgumentParser

/// `tapedeck replay`
struct ReplayCommand: ParsableCommand {
  static let configuration = ReplayOptions.configuration

  @OptionGroup var options: ReplayOptions

  func run() throws {
    try options.check()
    // What listens lives in the other executable.
    if options.serves { try LiveCommand.exec() }
    try options.playCall()
  }
}
