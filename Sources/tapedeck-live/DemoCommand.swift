internal import ArgumentParser
internal import Foundation
internal import TapeArchive
internal import TapeCommands
internal import TapeDemo
internal import TapeIndexer
internal import TapeProxy
internal import TapeRecorder
internal import TapeTypes

/// `tapedeck demo`
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: LiveCommand.demo.abstract,
    discussion: """
      Starts a local orq-like upstream and the recording proxy in front of it, makes calls of several kinds \
      through it, indexes them, and shows what can be asked. Nothing leaves this machine.

      Example: tapedeck demo
      """)

  @Option(
    help: ArgumentHelp(
      "Only run the demo's upstream here, until interrupted: something to try record and serve against.",
      valueName: "host:port"))
  var upstream: String?
  @OptionGroup var store: StoreOption

  func run() async throws {
    if let upstream { return try serveUpstream(upstream) }
    let path = try store.store ?? Self.freshDirectory()
    let store = try Store(path: path, access: .writing)
    try DemoRecording(store: store).run()
    try Indexer(store: store, log: Console.logger).run()
    try tour(path)
  }

  private func serveUpstream(_ address: String) throws {
    let listen = try ListenAddress(address, flag: "--upstream")
    guard ["127.0.0.1", "localhost"].contains(listen.host) else {
      throw TapeError(.usage, "the demo's upstream listens on 127.0.0.1 only, not on \(listen.host)")
    }
    let server: DemoUpstream
    do {
      server = try DemoUpstream(port: listen.port)
    } catch {
      throw TapeError(.network, "the demo's upstream cannot listen on \(address): \(error)")
    }
    StandardOutput.note("upstream listening on http://127.0.0.1:\(server.port)")
    server.wait()
  }

  private static func freshDirectory() throws -> String {
    let template = FileManager.default.temporaryDirectory.path + "/tapedeck-demo.XXXXXX"
    var name = template.utf8CString.map { $0 }
    guard mkdtemp(&name) != nil else {
      throw TapeError(.io, "cannot make a directory for the demo's store: \(String(cString: strerror(errno)))")
    }
    return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Shows the commands that a user would type, with what they print.
  private func tour(_ path: String) throws {
    let steps: [(String, [String])] = [
      ("Every call is on tape, also the one that was aborted and those that failed:", ["calls"]),
      ("A message rebuilt from its frames, with usage and cost:", ["show", "@call:travel-tools"]),
      ("The same stream again, at its own pace:", ["replay", "@call:slow-writer", "--as", "text"]),
      ("Who used what:", ["usage", "--by", "identity,model", "--totals"]),
    ]
    for (title, words) in steps {
      StandardOutput.write("\n\(title)\n")
      let arguments = try words.map { try resolve($0, path) }
      StandardOutput.write("$ tapedeck \(arguments.joined(separator: " "))\n")
      let format = ["calls", "show", "usage"].contains(arguments[0]) ? ["--format", "table"] : []
      try Entry.ask(arguments + format + ["--store", path])
    }
    StandardOutput.write(
      """

      The store of this demo is \(path)
      Go on with it:
        export TAPEDECK_STORE=\(path)
        tapedeck thread thread_numbers
        tapedeck trace @3
        tapedeck diff @2 @1
        tapedeck frames @1 --stalls 200ms
        tapedeck calls --state client_abort
        tapedeck cat @1 | head -3
      Record your own: tapedeck serve --upstream https://api.orq.ai, and point your SDK's base URL at it.

      """)
  }

  /// `@call:DEPLOYMENT` is the latest call of that deployment.
  private func resolve(_ word: String, _ path: String) throws -> String {
    guard word.hasPrefix("@call:") else { return word }
    return try Entry.latestCall(ofDeployment: String(word.dropFirst(6)), store: path)
  }
}

/// The recording half of the demo: upstream, proxy, and calls through it.
private struct DemoRecording {
  let store: Store

  private struct Call {
    var scenario: DemoScenario
    var identity: (id: String, name: String, email: String)
    var thread: String
    var text: String
    /// What was said before, as a chat application sends it again: by the user, by the assistant, …
    var history: [String] = []
    /// One of the calls that the agent of the demo makes: they share a trace.
    var isAgent = false
    var hangUpAfterBytes: Int?
  }

  private static let ada = (id: "user_ada", name: "Ada Lovelace", email: "ada@example.com")
  private static let grace = (id: "user_grace", name: "Grace Hopper", email: "grace@example.com")

  private static let calls: [Call] = [
    Call(scenario: .supportAnswer, identity: ada, thread: "thread_refund", text: "How long do I have for a refund?"),
    Call(scenario: .handbookSearch, identity: ada, thread: "thread_refund", text: "Who signs a release?"),
    Call(
      scenario: .travelTools, identity: grace, thread: "thread_paris",
      text: "Is it warm in Paris, and how do I get there?", isAgent: true),
    Call(
      scenario: .mathsReasoning, identity: grace, thread: "thread_maths", text: "Add the odd numbers up to 99.",
      isAgent: true),
    Call(scenario: .productNames, identity: ada, thread: "thread_lamp", text: "Two names for a reading lamp, please."),
    Call(
      scenario: .posterImage, identity: ada, thread: "thread_lamp", text: "Draw a poster for it.",
      history: ["Two names for a reading lamp, please.", "Harbour Light, a lamp for late readers"]),
    Call(
      scenario: .failsMidway, identity: grace, thread: "thread_numbers", text: "Read me the quarterly numbers.",
      isAgent: true),
    Call(
      scenario: .cutsMidway, identity: grace, thread: "thread_numbers", text: "Try again.",
      history: ["Read me the quarterly numbers.", "The quarterly numbers are"], isAgent: true),
    Call(
      scenario: .unauthorized, identity: grace, thread: "thread_numbers", text: "And again.",
      history: [
        "Read me the yearly numbers.", "The quarterly numbers are", "Try again.", "This answer will never be",
      ], isAgent: true),
    Call(
      scenario: .slowWriter, identity: ada, thread: "thread_story", text: "Tell me a story.", hangUpAfterBytes: 1500),
    Call(scenario: .slowWriter, identity: ada, thread: "thread_story", text: "Tell it again, to its end."),
  ]

  func run() throws {
    let upstream = try DemoUpstream()
    defer { upstream.stop() }
    var options = ProxyOptions(upstream: try UpstreamURL("http://127.0.0.1:\(upstream.port)"))
    options.listenPort = 0
    options.recorder.logger = Console.logger
    let proxy = try ProxyServer(options: options, store: store)
    let port = try proxy.start()
    StandardOutput.write(
      """
      A local orq-like upstream listens on http://127.0.0.1:\(upstream.port)
      tapedeck records in front of it on http://127.0.0.1:\(port)
      \(Self.calls.count) calls of 2 identities go through it: text, tools, reasoning, two choices, an image, retrievals,
      an error, a cut, a refusal, an abort and a slow stream.

      """)
    let client = DemoClient(port: port)
    defer { client.stop() }
    for call in Self.calls { try make(call, client) }
    proxy.stop()
    proxy.waitUntilStopped()
  }

  /// The span of an agent that makes several calls, as its own tracing would name it.
  private let agentSpan = Self.randomHex()
  private let agentTrace = Self.randomHex() + Self.randomHex()

  /// 16 digits.
  private static func randomHex() -> String { String(UInt64.random(in: 1 << 60...UInt64.max), radix: 16) }

  private func make(_ call: Call, _ client: DemoClient) throws {
    var headers = [("Authorization", "Bearer demo-key"), ("Accept", "text/event-stream")]
    if call.isAgent { headers.append(("traceparent", "00-\(agentTrace)-\(agentSpan)-01")) }
    let answer = try client.post(
      "/v2/deployments/stream", headers: headers,
      body: Array(body(of: call).utf8), hangUpAfterBytes: call.hangUpAfterBytes)
    let how = call.hangUpAfterBytes == nil ? "" : ", hung up in the middle"
    StandardOutput.write(
      "  \(call.scenario.rawValue): HTTP \(answer.status.map(String.init) ?? "–"), \(answer.body.count) bytes\(how)\n")
  }

  private func body(of call: Call) -> String {
    let messages = (call.history + [call.text]).enumerated().map { index, text in
      #"{"role":"\#(index % 2 == 0 ? "user" : "assistant")","content":"\#(text)"}"#
    }
    return """
      {"key":"\(call.scenario.rawValue)","stream":true,"messages":[\(messages.joined(separator: ","))],\
      "identity":{"id":"\(call.identity.id)","display_name":"\(call.identity.name)","email":"\(call.identity.email)"},\
      "thread":{"id":"\(call.thread)","tags":["demo"]},"metadata":{"environment":"demo"},\
      "invoke_options":{"include_usage":true,"include_retrievals":true}}
      """
  }
}
