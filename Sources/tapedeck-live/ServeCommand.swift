internal import ArgumentParser
internal import Foundation
internal import Logging
internal import TapeArchive
internal import TapeCommands
internal import TapeIndexer
internal import TapeProxy
internal import TapeRecorder
internal import TapeTypes
internal import TapeWeb

/// `tapedeck serve`
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: LiveCommand.serve.abstract,
    discussion: """
      Any SDK records by changing its base URL to the proxy's. SIGTERM takes no new calls, lets open streams end, \
      syncs and seals; a second one ends at once.

      Example: tapedeck serve --upstream https://api.orq.ai
      """)

  @Option(
    help: ArgumentHelp(
      "Where requests go, with an optional path prefix. Without it only the page is served.", valueName: "url"))
  var upstream: String?
  @Option(help: ArgumentHelp("Address of the proxy; port 0 picks one.", valueName: "host:port")) var listen =
    "127.0.0.1:8484"
  @Option(help: ArgumentHelp("Address of the web page, or off.", valueName: "host:port|off")) var ui = "127.0.0.1:8485"
  @Flag(help: "Do not keep the catalogue up to date.") var noIndex = false
  @Flag(help: "Do not turn closed journals into segments.") var noSeal = false
  @Option(help: "sync: on disk within 200 ms. strict: forwarded only after it is on disk.") var durability = Durability
    .sync
  @Option(help: "pass: a stream goes on when the disk fails, the gap is counted. stop: it ends.")
  var onArchiveFailure = OnFailure.pass
  @Flag(help: "Ask upstream for usage although the caller did not; what was changed is on tape.") var ensureUsage =
    false
  @Flag(help: "Record a stream to its end although its client went away.") var drainOnAbort = false
  @Option(help: ArgumentHelp("End a call when upstream is silent for so long; 0 never does.", valueName: "duration"))
  var idleTimeout = "10m"
  @Option(help: "PEM file of the authorities to trust for upstream instead of the system's.") var caFile: String?
  @OptionGroup var store: StoreOption

  enum OnFailure: String, CaseIterable, ExpressibleByArgument { case pass, stop }
  enum Durability: String, CaseIterable, ExpressibleByArgument { case sync, strict }

  func run() async throws {
    let listenAddress = try ListenAddress(listen, flag: "--listen")
    let uiAddress = ui == "off" ? nil : try ListenAddress(ui, flag: "--ui")
    guard upstream != nil || uiAddress != nil else {
      throw TapeError(.usage, "nothing to serve: give --upstream URL to record, or leave --ui on")
    }
    let options = try upstream.map { try proxyOptions($0, listenAddress) }
    let store = try store.open(.writing)
    let stopping = StopFlag()
    let session = ServeSession(store: store, indexes: !noIndex, seals: !noSeal, log: Console.logger)
    Signals.handle { _, before in session.signalled(before: before, stopping) }
    try await session.run(proxy: options, listen: listenAddress, ui: uiAddress, stopping: stopping)
  }

  private func proxyOptions(_ upstream: String, _ listen: ListenAddress) throws -> ProxyOptions {
    var options = ProxyOptions(upstream: try UpstreamURL(upstream))
    options.listenHost = listen.host
    options.listenPort = listen.port
    options.drainOnAbort = drainOnAbort
    options.ensureUsage = ensureUsage
    options.recorder.logger = Console.logger
    options.recorder.caFile = caFile ?? trustedByEnvironment()
    options.recorder.onArchiveFailure = onArchiveFailure == .stop ? .stop : .pass
    options.recorder.isStrict = durability == .strict
    options.recorder.idleTimeoutSeconds = Double(try Durations.nanoseconds(idleTimeout, flag: "--idle-timeout")) / 1e9
    return options
  }
}

/// `HOST:PORT`, the host also in brackets.
struct ListenAddress {
  var host: String
  var port: Int

  /// - Throws: `TapeError` `.usage` naming the flag.
  init(_ text: String, flag: String) throws {
    guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
      let port = UInt16(text[text.index(after: colon)...])
    else { throw TapeError(.usage, "\(flag) takes HOST:PORT, for example 127.0.0.1:8484, not '\(text)'") }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    self.host = host
    self.port = Int(port)
  }

  /// As it stands in a URL.
  static func url(_ host: String, _ port: Int) -> String {
    "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }
}
