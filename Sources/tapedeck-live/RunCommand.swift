internal import ArgumentParser
internal import Foundation
internal import TapeArchive
internal import TapeCommands
internal import TapeConfiguration
internal import TapeIndexer
internal import TapeProxy
internal import TapeQuery
internal import TapeRecorder
internal import TapeTypes

/// `tapedeck run`
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: LiveCommand.run.abstract,
    discussion: """
      Starts the proxy on a free port, sets the base URLs of the known SDKs for CMD, and tells on stderr what it used \
      and cost. Exits with CMD's code, or 128 and the number of the signal that ended it; 127 if there is no such command. \
      Set are \(SDKVariables.names.joined(separator: ", ")).

      Example: tapedeck run --upstream https://api.orq.ai -- python agent.py
      """)

  @Option(help: ArgumentHelp("Where requests go (default: https://api.orq.ai).", valueName: "url"))
  var upstream: String?
  @Option(help: "PEM file of the authorities to trust for upstream instead of the system's.") var caFile: String?
  @OptionGroup var store: StoreOption
  @Argument(parsing: .postTerminator, help: ArgumentHelp("The command, behind --.", valueName: "cmd"))
  var command: [String] = []

  func run() async throws {
    StandardOutput.queueNotes()
    guard !command.isEmpty else {
      throw TapeError(.usage, "run needs a command behind --, for example: tapedeck run -- python agent.py")
    }
    let configured = try Configuration.load(store.config)
    let options = try proxyOptions(configured)
    let store = try Store(path: store.path(configured), access: .writing)
    // Before the proxy takes calls: what is older is none of them.
    let startNs = SystemClock().wallNs()
    let proxy = try ProxyServer(options: options, store: store)
    let url = ListenAddress.url(options.listenHost, try proxy.start())
    let status: Int32
    do {
      let environment = SDKVariables(url, options.routes).over(ProcessInfo.processInfo.environment)
      let running = RunningCommand()
      Signals.handle { number, before in
        guard let child = running.child else { Foundation.exit(128 + number) }
        if child.hasEnded { return proxy.stopNow() }
        child.pass(on: number, before: before)
      }
      status = await running.start(try ChildProcess(command, environment: environment)).wait()
    } catch {
      proxy.stop()
      proxy.waitUntilStopped()
      guard let error = error as? ChildError else { throw error }
      StandardOutput.note("tapedeck: \(error.description)")
      throw ExitCode(error.exitCode)
    }
    proxy.stop()
    proxy.waitUntilStopped()
    try report(store, since: startNs)
    throw ExitCode(status)
  }

  private func proxyOptions(_ configured: Configuration) throws -> ProxyOptions {
    let upstream = configured.setting("upstream", flag: upstream) ?? "https://api.orq.ai"
    var options = ProxyOptions(routes: try configured.proxyRoutes(upstream: upstream))
    options.limits = try configured.limits(connections: nil, headerBytes: nil, bodyBytes: nil)
    options.listenPort = 0
    options.ensureUsage = try configured.setting("ensure-usage", flag: nil, default: false)
    options.drainOnAbort = try configured.setting("drain-on-abort", flag: nil, default: false)
    options.recorder.logger = Console.logger
    options.recorder.redactions = configured.redactions
    options.recorder.caFile = configured.setting("ca-file", flag: caFile) ?? trustedByEnvironment()
    return options
  }

  /// What the command used, on stderr: stdout is the command's own.
  private func report(_ store: Store, since startNs: Int64) throws {
    try Indexer(store: store, log: Console.logger).run()
    var filter = CallFilter()
    filter.from = startNs
    for line in try RunReport(QueryEngine(store: store), filter).lines { StandardOutput.note("tapedeck: \(line)") }
  }
}
