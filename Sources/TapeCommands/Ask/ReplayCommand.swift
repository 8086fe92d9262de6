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
    let entry = try asking.engine.resolve(call.call)
    let recorded = try asking.engine.recorded(entry)
    if !recorded.open.hasTimes, pace.keepsRecordedTime {
      StandardOutput.note("tapedeck: this capture has no times; it is played at once")
    }
    switch form ?? (StandardOutput.isTerminal ? .text : .raw) {
    case .raw: Player(pace: pace).play(recorded) { _, bytes in StandardOutput.write(bytes) }
    case .text:
      playText(recorded, pace)
      if ![.done, .open].contains(entry.state) {
        StandardOutput.note("tapedeck: here it ended as \(entry.state.rawValue)")
      }
      if entry.state == .open { StandardOutput.note("tapedeck: the call goes on; this is what is on tape") }
    }
    try asking.report(damageIn: recorded)
  }

  private func playText(_ recorded: RecordedCall, _ pace: ReplayPace) {
    var texts = FrameTexts(of: recorded)
    // The first choice is the one that an application shows.
    let shown = texts.choices.first
    var typed = TypedMessage(isEscaped: StandardOutput.isTerminal, isColoured: StandardOutput.usesColour)
    Player(pace: pace).play(recorded) { index, _ in
      for piece in texts.pieces(ofFrame: index) where piece.choice == shown {
        StandardOutput.write(typed.text(of: piece))
      }
    }
    StandardOutput.write(typed.end)
    if texts.choices.count > 1 {
      let others = texts.choices.count - 1
      StandardOutput.note("tapedeck: choice \(shown ?? 0) of \(others + 1); see them all: tapedeck show \(call.call)")
    }
  }
}
