internal import ArgumentParser
internal import Foundation
internal import TapeArchive
internal import TapeCommands
internal import TapeConfiguration
internal import TapeIndexer
internal import TapeJSON
internal import TapeQuery
internal import TapeRecorder
internal import TapeTypes

/// `tapedeck record`
struct RecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: LiveCommand.record.abstract,
    discussion: """
      The response's bytes go to stdout as they come, the call id to stderr. Exits with 2 on an HTTP or \
      stream error; what was received is on tape. The key in $ORQ_API_KEY is sent as a bearer token unless \
      a header gives another, and is never written down.

      Example: tapedeck record -d '{"key":"support-bot","messages":[]}'
      """)

  @Option(help: "Where the request goes.") var url = "https://api.orq.ai/v2/deployments/stream"
  @Option(
    name: [.customShort("H"), .long],
    help: ArgumentHelp("A request header, as often as needed.", valueName: "Name: value"))
  var header: [String] = []
  @Option(
    name: [.customShort("d"), .long],
    help: ArgumentHelp("The request body: @FILE, - for stdin, or the text itself.", valueName: "data"))
  var data: String?
  @Option(
    name: [.customShort("X"), .customLong("request")], help: "The request method (default: POST with a body, else GET)."
  )
  var method: String?
  @Option(help: "PEM file of the authorities to trust instead of the system's.") var caFile: String?
  @Option(
    help: ArgumentHelp(
      "End the call when nothing came for so long; 0 never does (default: 10m).", valueName: "duration"))
  var idleTimeout: String?
  @OptionGroup var store: StoreOption

  func run() async throws {
    let request = try self.request()
    var options = RecorderOptions()
    options.logger = Console.logger
    options.origin = .record
    let configured = try Configuration.load(store.config)
    options.redactions = configured.redactions
    options.caFile = configured.setting("ca-file", flag: caFile) ?? trustedByEnvironment()
    let idle = configured.setting("idle-timeout", flag: idleTimeout) ?? "10m"
    options.idleTimeoutSeconds = Double(try Durations.nanoseconds(idle, flag: "--idle-timeout")) / 1e9
    let recorder = try TapeRecorder(store: store.path(configured), options: options)
    let stream = recorder.stream(request)
    StandardOutput.note("tapedeck: call \(stream.callID)")
    let ending = await copy(stream)
    recorder.close()
    try finish(stream.callID, ending)
  }

  private func request() throws -> TapeRequest {
    // Before there is a store or a call: a URL that is none is bad usage.
    _ = try UpstreamURL(url)
    var headers = try header.map { line in
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
        // Not the whole of it: it may hold a key.
        throw TapeError(
          .usage, "-H takes 'Name: value', and the one that starts '\(line.prefix { $0 != " " })' has no colon")
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      return HeaderField(String(line[..<colon]), String(value))
    }
    let body = try data.map(readBody)
    let key = ProcessInfo.processInfo.environment["ORQ_API_KEY"]
    // Userinfo in the URL is a credential too, and for another host perhaps.
    if let key, !key.isEmpty, headers.first("authorization") == nil, try UpstreamURL(url).authorization == nil {
      headers.append(HeaderField("Authorization", "Bearer \(key)"))
    }
    if body != nil, headers.first("content-type") == nil {
      headers.append(HeaderField("Content-Type", "application/json"))
    }
    if headers.first("accept") == nil { headers.append(HeaderField("Accept", "text/event-stream")) }
    let method = method ?? (body == nil ? "GET" : "POST")
    if body == nil, method == "POST" { throw TapeError(.usage, "a POST needs a body: give it with -d") }
    return TapeRequest(url: url, method: method, headers: headers, body: body ?? [])
  }

  private func readBody(_ text: String) throws -> [UInt8] {
    if text == "-" { return Array(FileHandle.standardInput.readDataToEndOfFile()) }
    guard text.hasPrefix("@") else { return Array(text.utf8) }
    let path = String(text.dropFirst())
    do {
      return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw TapeError(.usage, "cannot read the request body from \(path): \(error.localizedDescription)")
    }
  }

  /// Why the copying ended.
  private enum Ending: Sendable { case streamEnded, interrupted, readerGone, stdoutFailed }

  /// Stdout gets what arrives, until the stream ends, the user interrupts, or nobody reads stdout.
  private func copy(_ stream: TapeStream) async -> Ending {
    let copying = Task { () -> Ending in
      do {
        for try await bytes in stream {
          switch StandardOutput.attempt(bytes) {
          case .written: continue
          case .readerGone: return .readerGone
          case .failed(let reason):
            StandardOutput.note("tapedeck: \(reason)")
            return .stdoutFailed
          }
        }
      } catch is CancellationError {
        return .interrupted
      } catch {
        StandardOutput.note("tapedeck: \(error)")
      }
      return .streamEnded
    }
    let interrupted = StopFlag()
    Signals.handle { _, before in
      if before > 0 { Foundation.exit(130) }
      interrupted.raise()
      copying.cancel()
    }
    let ending = await copying.value
    // Leaving the loop without reading on is not enough while the stream waits for its next bytes.
    if ending != .streamEnded { stream.cancel() }
    return interrupted.isRaised ? .interrupted : ending
  }

  /// Indexes the call and says how it ended.
  private func finish(_ id: CallID, _ ending: Ending) throws {
    let store = try store.open(.writing)
    try Indexer(store: store, log: Console.logger).run()
    let engine = try QueryEngine(store: store)
    let entry = try engine.resolve(id.description)
    switch ending {
    case .interrupted: throw ExitCode(130)
    case .stdoutFailed: throw ExitCode(2)
    case .readerGone: return
    case .streamEnded: break
    }
    guard entry.state != .done else { return }
    let shown = try engine.show(entry)
    let why = shown["error"]?["message"]?.string ?? shown["defects"]?.array?.first?["message"]?.string
    StandardOutput.note("tapedeck: the call ended as \(entry.state.rawValue)" + (why.map { ": \($0)" } ?? ""))
    throw ExitCode(2)
  }
}

/// What the curl program honours too: a CA file named by the environment.
func trustedByEnvironment() -> String? {
  let environment = ProcessInfo.processInfo.environment
  return environment["CURL_CA_BUNDLE"] ?? environment["SSL_CERT_FILE"]
}
