internal import ArgumentParser
internal import Foundation
internal import TapeArchive
internal import TapeCommands
internal import TapeConfiguration
internal import TapeReplay
internal import TapeReplayServer
internal import TapeTypes

/// `tapedeck replay`, with what listens.
struct LiveReplayCommand: AsyncParsableCommand {
  static let configuration = ReplayOptions.configuration

  @OptionGroup var options: ReplayOptions

  func run() async throws {
    try options.check()
    guard options.serves else { return try options.playCall() }
    StandardOutput.queueNotes()
    var serverOptions = ReplayServerOptions(logger: Console.logger)
    serverOptions.pace = try options.replayPace()
    // For a command alone any port does.
    let listen = try ListenAddress(options.listen ?? "127.0.0.1:0", flag: "--listen")
    (serverOptions.listenHost, serverOptions.listenPort) = (listen.host, listen.port)
    let configured = try Configuration.load(options.store.config)
    let rules = try MatchRules(ignoring: options.ignore, redactions: configured.redactions)
    let store = try Store(path: options.store.path(configured), access: .reading)
    let archive = ArchiveReader(store: store)
    let recordings = try recordings(archive, rules, store)
    let openAIPath = recordings.openAIPath ?? "/v1"
    let server = try ReplayServer(recordings, of: archive, rules: rules, options: serverOptions)
    let url = ListenAddress.url(listen.host, try server.start())
    StandardOutput.note("replay listening on \(url)")
    if let command = options.exec {
      try await run(command, server, SDKVariables(url, openAIPath: openAIPath))
    } else {
      await serve(server)
    }
  }

  /// - Throws: `TapeError` `.notFound` if there is nothing to replay.
  private func recordings(_ archive: ArchiveReader, _ rules: MatchRules, _ store: Store) throws -> Recordings {
    let recordings = try Recordings(
      of: archive, only: try options.selectedCalls(), match: options.matching, loops: options.loop, rules: rules
    ) { damage in
      StandardOutput.note("tapedeck: cannot be read: \(damage)")
    }
    let open = recordings.leftOut
    let leftOut = open == 0 ? "" : "; \(open) \(open == 1 ? "call that is" : "calls that are") still open left out"
    guard recordings.count > 0 else {
      throw TapeError(.notFound, "no call to replay in \(store.path)\(leftOut); see them: tapedeck calls")
    }
    StandardOutput.note(
      "tapedeck: \(recordings.count) \(recordings.count == 1 ? "recording" : "recordings"), matched by \(options.matching.rawValue)\(leftOut)"
    )
    return recordings
  }

  private func serve(_ server: ReplayServer) async {
    Signals.handle { _, before in
      guard before > 0 else { return server.stop() }
      server.stopNow()
      StandardOutput.note("tapedeck: \(server.waitUntilStopped().line)")
      Foundation.exit(2)
    }
    await Worker {
      let totals = server.waitUntilStopped()
      StandardOutput.note("tapedeck: \(totals.line)")
    }.wait()
  }

  private func run(_ command: String, _ server: ReplayServer, _ variables: SDKVariables) async throws {
    let status: Int32
    do {
      let running = RunningCommand()
      Signals.handle { number, before in
        guard let child = running.child else { Foundation.exit(128 + number) }
        child.pass(on: number, before: before)
      }
      let environment = variables.over(ProcessInfo.processInfo.environment)
      let child = try ChildProcess(["/bin/sh", "-c", command], environment: environment, isGroup: true)
      status = await running.start(child).wait()
    } catch let error as ChildError {
      server.stopNow()
      server.waitUntilStopped()
      StandardOutput.note("tapedeck: \(error.description)")
      throw ExitCode(error.exitCode)
    }
    server.stopNow()
    StandardOutput.note("tapedeck: \(server.waitUntilStopped().line)")
    throw ExitCode(status)
  }
}
