package import ArgumentParser
internal import TapeArchive
internal import TapeDialects
internal import TapeQuery
package import TapeReplay
package import TapeTypes

extension RequestMatch: ExpressibleByArgument {}

/// What `replay` takes, in either executable.
package struct ReplayOptions: ParsableArguments {
  package enum Form: String, CaseIterable, ExpressibleByArgument, Sendable { case raw, text }

  @Argument(
    help: ArgumentHelp(
      "A call id or a prefix of one, a response id, a span id, or @1 (latest), @2, …; none with --listen or --exec.",
      valueName: "call"))
  var call: String?
  @Option(
    name: .customLong("as"), help: "raw bytes or the message as text (default: text on a terminal, raw in a pipe).")
  var form: Form?
  @Option(help: ArgumentHelp("original (default), instant, 2x, 0.5x, fixed:20ms …", valueName: "pace"))
  var pace: String = "original"
  @Option(
    help: ArgumentHelp(
      "Serve the recorded responses at this address; port 0 picks one.", valueName: "host:port"))
  package var listen: String?
  @Option(
    help: ArgumentHelp(
      "Serve them for the life of this command, with the base-URL variables of the known SDKs set; exits with its code.",
      valueName: "cmd"))
  package var exec: String?
  @Option(
    help: ArgumentHelp(
      "By what a request finds its recording: its body (default), its deployment key, or in recorded sequence.",
      valueName: "body|key|sequence"))
  var match: RequestMatch?
  @Flag(help: "Behind the last recording that fits comes the first again.")
  package var loop = false
  @Option(
    help: ArgumentHelp(
      "A member of request bodies that does not count, such as thread.id or messages[*].id; may be given again.",
      valueName: "path"))
  package var ignore: [String] = []
  @OptionGroup var filters: FilterOptions
  @OptionGroup var end: EndOption
  @OptionGroup package var store: StoreOption

  package init() {}

  package static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Play a call's stream again, frame by frame at its pace; or serve the recordings to clients.",
    discussion: """
      With CALL its stream goes to stdout. With --listen or --exec a server answers requests with the recorded responses \
      of the same requests: status, headers, frames, pace, and the same cut where one was cut. A repeated request gets \
      successive recordings; behind the last one it is repeated, with --match sequence the answer is 404. A request \
      without a recording gets 404 and JSON that names the nearest one and the difference. No network is needed.

      Example: tapedeck replay @1 --as text --pace 2x
      Example: tapedeck replay --listen 127.0.0.1:8486 --thread trip_17
      Example: tapedeck replay --exec 'pytest -q' --pace instant
      """)

  /// Rather a server than one call to stdout.
  package var serves: Bool { listen != nil || exec != nil }

  /// - Throws: `TapeError` `.usage` for flags that do not go together.
  package func check() throws {
    // A command that is one word of several is easily meant to be in quotes.
    if let call, serves {
      throw TapeError(
        .usage, "replay takes a CALL or --listen/--exec, not both: '\(call)'; --exec takes its command in quotes")
    }
    if !serves {
      guard call != nil else {
        throw TapeError(
          .usage, "replay takes a CALL to play, or --listen HOST:PORT or --exec 'CMD' to serve recordings")
      }
      let flags: [(String, Bool)] = [("--match", match != nil), ("--loop", loop), ("--ignore", !ignore.isEmpty)]
      if let given = flags.first(where: { $0.1 }) {
        throw TapeError(.usage, "\(given.0) is for a replay server: give --listen HOST:PORT or --exec 'CMD' too")
      }
      guard try filter().isEmpty else {
        throw TapeError(.usage, "filters are for a replay server; one call is named by itself")
      }
    }
    if serves, form != nil { throw TapeError(.usage, "--as is for a call that is played to stdout") }
    if let exec, exec.allSatisfy(\.isWhitespace) { throw TapeError(.usage, "--exec takes a command") }
    _ = try replayPace()
  }

  package var matching: RequestMatch { match ?? .body }

  package func replayPace() throws -> ReplayPace {
    guard let pace = ReplayPace(pace) else {
      throw TapeError(.usage, "--pace takes original, instant, a factor such as 2x, or fixed:20ms, not '\(pace)'")
    }
    return pace
  }

  private func filter() throws -> CallFilter { try filters.filter(to: end.to) }

  /// The calls that the filters let through, as the catalogue has them; nil without filters, where the archive alone
  /// is asked.
  ///
  /// - Throws: `TapeError` that says what is wrong with filters, store or catalogue.
  package func selectedCalls() throws -> Set<CallID>? {
    let filter = try filter()
    guard !filter.isEmpty else { return nil }
    var ids: Set<CallID> = []
    try Asking(store).engine.forEachEntry(filter) { ids.insert($0.id) }
    return ids
  }

  // MARK: One call

  /// Plays the CALL to stdout.
  package func playCall() throws {
    let pace = try replayPace()
    let asking = try Asking(store)
    let entry = try asking.engine.resolve(call ?? "")
    let recorded = try asking.engine.recorded(entry)
    if !recorded.open.hasTimes, pace.keepsRecordedTime {
      StandardOutput.note("tapedeck: this capture has no times; it is played at once")
    }
    switch form ?? (StandardOutput.isTerminal ? .text : .raw) {
    case .raw: BlockingPlayer(pace: pace).play(recorded) { _, bytes in StandardOutput.write(bytes) }
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
    BlockingPlayer(pace: pace).play(recorded) { index, _ in
      for piece in texts.pieces(ofFrame: index) where piece.choice == shown {
        StandardOutput.write(typed.text(of: piece))
      }
    }
    StandardOutput.write(typed.end)
    if texts.choices.count > 1 {
      let others = texts.choices.count - 1
      let see = "tapedeck show \(call ?? "")"
      StandardOutput.note("tapedeck: choice \(shown ?? 0) of \(others + 1); see them all: \(see)")
    }
  }
}
