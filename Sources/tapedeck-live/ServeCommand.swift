internal import ArgumentParser
internal import Foundation
internal import Logging
internal import TapeArchive
internal import TapeCommands
internal import TapeConfiguration
internal import TapeIndexer
internal import TapeProxy
internal import TapeRecorder
internal import TapeQuery
internal import TapeTypes
internal import TapeWeb

/// `tapedeck serve`
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: LiveCommand.serve.abstract,
    discussion: """
      Any SDK records by changing its base URL to the proxy's. SIGTERM takes no new calls, lets open streams end, \
      syncs and seals, but for what would take more than a few seconds; a second one ends at once.

      Example: tapedeck serve --upstream https://api.orq.ai
      """)

  @Option(
    help: ArgumentHelp(
      "Where requests go, with an optional path prefix. Without it only the page is served.", valueName: "url"))
  var upstream: String?
  @Option(
    help: ArgumentHelp("Address of the proxy; port 0 picks one (default: 127.0.0.1:8484).", valueName: "host:port"))
  var listen: String?
  @Option(
    help: ArgumentHelp("Address of the web page, or off (default: 127.0.0.1:8485).", valueName: "host:port|off"))
  var ui: String?
  @Option(
    help: ArgumentHelp(
      "What has to be known to see the web page; needed where others than this machine can. Better in the environment, "
        + "as TAPEDECK_UI_TOKEN, or in the configuration file: flags are seen by who lists processes.",
      valueName: "token"))
  var uiToken: String?
  @Flag(inversion: .prefixedNo, help: "Keep the catalogue up to date (default: yes).") var index: Bool?
  @Flag(inversion: .prefixedNo, help: "Turn closed journals into segments (default: yes).") var seal: Bool?
  @Option(help: "sync: on disk within 200 ms (default). strict: forwarded only after it is on disk.")
  var durability: Durability?
  @Option(help: "pass: a stream goes on when the disk fails, the gap is counted (default). stop: it ends.")
  var onArchiveFailure: OnFailure?
  @Flag(
    inversion: .prefixedNo,
    help: "Ask upstream for usage although the caller did not; what was changed is on tape (default: no).")
  var ensureUsage: Bool?
  @Flag(
    inversion: .prefixedNo, help: "Record a stream to its end although its client went away (default: no).")
  var drainOnAbort: Bool?
  @Option(
    help: ArgumentHelp(
      "End a call when upstream is silent for so long; 0 never does (default: 10m).", valueName: "duration"))
  var idleTimeout: String?
  @Option(
    help: ArgumentHelp(
      "Remove segments all of whose calls are older; their leaf lists stay, so checkpoints verify.",
      valueName: "90d"))
  var keep: String?
  @Option(
    help: ArgumentHelp("Remove the oldest segments while the archive is larger.", valueName: "50G")) var keepBytes:
    String?
  @Option(help: "PEM file of the authorities to trust for upstream instead of the system's.") var caFile: String?
  @Option(help: ArgumentHelp("503 for a client beyond so many (default: 8192).", valueName: "number"))
  var maxConnections: String?
  @Option(help: ArgumentHelp("431 for a request head over so many bytes (default: 64K).", valueName: "64K"))
  var maxHeaderBytes: String?
  @Option(help: ArgumentHelp("413 for a request body over so many bytes (default: 64M).", valueName: "64M"))
  var maxBodyBytes: String?
  @OptionGroup var store: StoreOption

  enum OnFailure: String, CaseIterable, ExpressibleByArgument { case pass, stop }
  enum Durability: String, CaseIterable, ExpressibleByArgument { case sync, strict }

  func run() async throws {
    StandardOutput.queueNotes()
    let configured = try Configuration.load(store.config)
    let listenAddress = try ListenAddress(
      configured.setting("listen", flag: listen) ?? "127.0.0.1:8484", flag: "--listen")
    let ui = configured.setting("ui", flag: ui) ?? "127.0.0.1:8485"
    let upstream = configured.setting("upstream", flag: upstream)
    let uiAddress = ui == "off" ? nil : try ListenAddress(ui, flag: "--ui")
    let token = try self.token(configured, for: uiAddress)
    guard upstream != nil || !configured.routes.isEmpty || uiAddress != nil else {
      throw TapeError(.usage, "nothing to serve: give --upstream URL to record, or leave --ui on")
    }
    let options = try proxyOptions(upstream, listenAddress, configured)
    let retention = try self.retention(configured)
    let (indexes, seals) = (
      try configured.setting("index", flag: index, default: true),
      try configured.setting("seal", flag: seal, default: true)
    )
    // Who only looks at a store may do so where it cannot be written.
    let writes = options != nil || indexes || seals
    let store = try Store(path: store.path(configured), access: writes ? .writing : .reading)
    let stopping = StopFlag()
    let session = ServeSession(
      store: store, indexes: indexes, seals: seals, retention: retention, log: Console.logger)
    Signals.handle { _, before in session.signalled(before: before, stopping) }
    try await session.run(proxy: options, listen: listenAddress, ui: uiAddress, token: token, stopping: stopping)
  }

  /// - Throws: `TapeError` `.usage` where others than this machine could ask, and would not have to know anything.
  private func token(_ configured: Configuration, for address: ListenAddress?) throws -> UIToken? {
    let token = configured.setting("ui-token", flag: uiToken)
    if let token, token.utf8.count < 8 || !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
      throw TapeError(
        .usage, "--ui-token takes at least 8 characters of ASCII without spaces, for example of: openssl rand -hex 16")
    }
    if let address, token == nil, !LocalAuthority.isLoopback(address.host) {
      throw TapeError(
        .usage,
        "--ui \(address.host): others than this machine could read every call: give --ui-token too, or listen on 127.0.0.1"
      )
    }
    return token.map(UIToken.init)
  }

  private func retention(_ configured: Configuration) throws -> Retention? {
    let keep = try configured.setting("keep", flag: keep).map { try Durations.age($0, flag: "--keep") }
    let bytes = try configured.setting("keep-bytes", flag: keepBytes).map {
      try ByteCounts.bytes($0, flag: "--keep-bytes")
    }
    return keep == nil && bytes == nil ? nil : Retention(keepNs: keep, keepBytes: bytes)
  }

  private func proxyOptions(
    _ upstream: String?, _ listen: ListenAddress, _ configured: Configuration
  ) throws -> ProxyOptions? {
    let routes = try configured.proxyRoutes(upstream: upstream)
    guard !routes.isEmpty else { return nil }
    var options = ProxyOptions(routes: routes)
    options.limits = try configured.limits(
      connections: maxConnections, headerBytes: maxHeaderBytes, bodyBytes: maxBodyBytes)
    options.listenHost = listen.host
    options.listenPort = listen.port
    options.drainOnAbort = try configured.setting("drain-on-abort", flag: drainOnAbort, default: false)
    options.ensureUsage = try configured.setting("ensure-usage", flag: ensureUsage, default: false)
    options.recorder.logger = Console.logger
    options.recorder.redactions = configured.redactions
    options.recorder.caFile = configured.setting("ca-file", flag: caFile) ?? trustedByEnvironment()
    let onFailure = try configured.setting(
      "on-archive-failure", flag: onArchiveFailure?.rawValue, among: OnFailure.allCases.map(\.rawValue))
    options.recorder.onArchiveFailure = onFailure == "stop" ? .stop : .pass
    let durability = try configured.setting(
      "durability", flag: durability?.rawValue, among: Durability.allCases.map(\.rawValue))
    options.recorder.isStrict = durability == "strict"
    let idle = configured.setting("idle-timeout", flag: idleTimeout) ?? "10m"
    options.recorder.idleTimeoutSeconds = Double(try Durations.nanoseconds(idle, flag: "--idle-timeout")) / 1e9
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
