internal import ArgumentParser
internal import TapeQuery
internal import TapeTypes

/// `tapedeck cat`
struct CatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat", abstract: "The exact response bytes of a call.",
    discussion: "Example: tapedeck cat @1 | sha256sum"
  ).underRoot

  @OptionGroup var call: CallArgument
  @OptionGroup var store: StoreOption

  func run() throws {
    let asking = try Asking(store)
    let recorded = try asking.engine.recorded(asking.engine.resolve(call.call))
    StandardOutput.write(recorded.raw)
    try asking.report(damageIn: recorded)
  }
}
