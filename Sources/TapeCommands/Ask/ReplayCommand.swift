internal import ArgumentParser
internal import TapeDialects
internal import TapeQuery
internal import TapeReplay
internal import TapeTypes

/// `tapedeck replay`
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Play a call's stream again, frame by frame at its pace.",
    discussion: "Example: tapedeck replay @1 --as text --pace 2x")

  enum Form: String, CaseIterable, ExpressibleByArgument { case raw, text }

  @OptionGroup var call: CallArgument
  @Option(
    name: .customLong("as"), help: "raw bytes or the message as text (default: text on a terminal, raw in a pipe).")
  var form: Form?
  @Option(help: ArgumentHelp("original, instant, 2x, 0.5x, fixed:20ms …", valueName: "pace")) var pace: String =
    "original"
  @OptionGroup var store: StoreOption

  func run() throws {
    guard let pace = ReplayPace(pace) else {
      throw TapeError(.usage, "--pace takes original, instant, a factor such as 2x, or fixed:20ms, not '\(pace)'")
    }
    let asking = try Asking(store)
    let recorded = try asking.engine.recorded(asking.engine.resolve(call.call))
    if !recorded.open.hasTimes, pace.keepsRecordedTime {
      StandardOutput.note("tapedeck: this capture has no times; it is played at once")
    }
    switch form ?? (StandardOutput.isTerminal ? .text : .raw) {
    case .raw: Player(pace: pace).play(recorded) { _, bytes in StandardOutput.write(bytes) }
    case .text: playText(recorded, pace)
    }
    try asking.report(damageIn: recorded)
  }

  /// Escaped for a terminal; a pipe gets the message as it came.
  private func shown(_ text: String) -> String {
    StandardOutput.isTerminal ? TerminalText.escaped(text, keepingLines: true) : text
  }

  private func playText(_ recorded: RecordedCall, _ pace: ReplayPace) {
    var texts = FrameTexts(of: recorded)
    let dims = StandardOutput.usesColour
    var wasReasoning = false
    Player(pace: pace).play(recorded) { index, _ in
      // The first choice is the one that an application shows.
      for piece in texts.pieces(ofFrame: index) where piece.choice == 0 {
        let reasoning = shown(piece.reasoning)
        if wasReasoning, !piece.content.isEmpty { StandardOutput.write("\n\n") }
        wasReasoning = piece.content.isEmpty
        if !reasoning.isEmpty { StandardOutput.write(dims ? "\u{1B}[2m\(reasoning)\u{1B}[0m" : reasoning) }
        StandardOutput.write(shown(piece.content))
      }
    }
    StandardOutput.write("\n")
  }
}
