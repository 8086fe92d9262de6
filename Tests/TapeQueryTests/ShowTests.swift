import TapeArchive
import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@Suite struct ShowTests {
  private static let showKeys = [
    "call_id", "response_id", "trace_id", "span_id", "thread_id", "thread_tags", "identity_id", "deployment", "model",
    "provider", "object", "created", "finalized", "integration_id", "system_fingerprint", "started_at", "state",
    "complete", "content_mode", "mock", "http_status", "error", "request", "choices", "usage", "retrievals", "defects",
    "extra", "cost", "cost_unknown", "timings", "archive",
  ]
  private static let choiceKeys = [
    "index", "type", "role", "content", "reasoning", "reasoning_signature", "redacted_reasoning", "tool_calls",
    "image_urls", "finish_reason",
  ]

  private func show(_ call: TestCall, full: Bool = false) throws -> JSONValue {
    let (test, engine) = try engine([call])
    defer { withExtendedLifetime(test) {} }
    return try engine.show(engine.resolve("@1"), full: full)
  }

  private let call = TestCall.text(
    1, startedAt: noon + 123_456_789, request: request("ada", thread: "t1", tags: ["a", "b"]),
    usage: TestUsage(100, 20, cached: 64, reasoning: 5))

  @Test func keysAreThoseOfTheContractInTheirOrder() throws {
    let shown = try show(call)
    #expect(shown.keys == Self.showKeys)
    #expect(shown["choices"]?.array?.first?.keys == Self.choiceKeys)
    #expect(
      shown["usage"]?.keys == [
        "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "frame",
      ])
    #expect(
      shown["timings"]?.keys == [
        "first_byte_ms", "first_frame_ms", "first_content_ms", "duration_ms", "frames", "longest_gap_ms",
      ])
    #expect(shown["archive"]?.keys == ["file", "offset", "leaf_hash"])
    #expect(
      shown["cost"]?.keys == [
        "total_usd", "input_usd", "cached_usd", "output_usd", "reasoning_usd", "request_usd", "price_model",
        "price_version", "notes", "rates",
      ])
    #expect(try show(.midstreamError(1, startedAt: noon))["error"]?.keys == ["message", "code", "source", "frame"])
  }

  /// A recorder's end record says how much there was.
  @Test func aDamagedCallIsShownWithWhatIsMissing() throws {
    var damaged = call
    damaged.cause = nil
    let test = try TestStore()
    let writer = try test.writer()
    let handle = damaged.begin(with: writer)
    damaged.addFrames(0..<damaged.frames.count, handle, with: writer)
    let bytes = damaged.frames.reduce(0) { $0 + $1.count }
    writer.end(
      handle,
      asGiven: CallEnd(
        offsetNs: 1, cause: .endOfBody, frames: damaged.frames.count + 1, bytes: bytes + 100, sha256: nil))
    try writer.close()
    try Indexer(store: test.store, log: test.log).run()
    let engine = try QueryEngine(store: test.store)
    let entry = try engine.resolve("@1")
    let problem = "the archive is damaged: \(bytes) of \(bytes + 100) response bytes are on tape"
    #expect(try engine.damage(of: engine.recorded(entry)) == problem)
    let shown = try engine.show(entry)
    #expect(shown["complete"] == false)
    // Upstream ended the body as it should: the archive, not upstream, is to blame.
    #expect(shown["state"] == "done")
    #expect(shown["defects"] == [["kind": "truncated", "frame": .null, "message": .string(problem)]])
    let row = try engine.call(entry)
    for key in ["state", "complete", "defects"] { #expect(row?[key] == shown[key], "\(key)") }
  }

  @Test func aWholeCallIsShown() throws {
    let shown = try show(call)
    let expected: [(String, JSONValue)] = [
      ("call_id", .string(call.id.description)), ("response_id", .string(call.responseID)),
      ("trace_id", .string(call.traceID)), ("span_id", .string(call.spanID)), ("thread_id", "t1"),
      ("thread_tags", ["a", "b"]), ("identity_id", "ada"), ("deployment", "bot"), ("model", "gpt-4o"),
      ("provider", "openai"), ("object", "chat"), ("integration_id", .null),
      ("started_at", "2026-11-20T12:00:00.123456789Z"), ("state", "done"), ("complete", true),
      ("content_mode", "delta"),
      ("mock", false), ("http_status", 200), ("error", .null), ("retrievals", []), ("defects", []),
    ]
    for (key, value) in expected { #expect(shown[key] == value, "\(key)") }
    #expect(shown["choices"]?.array?.first?["content"] == "Hello")
    #expect(
      shown["usage"]?.compactString
        == #"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"cached_tokens":64,"reasoning_tokens":5,"frame":2}"#
    )
    #expect(
      shown["timings"]?.compactString
        == #"{"first_byte_ms":1,"first_frame_ms":11,"first_content_ms":11,"duration_ms":41,"frames":4,"longest_gap_ms":10}"#
    )
    #expect(shown["cost"]?["total_usd"] == "0.00037")
    #expect(shown["request"]?["identity"]?["id"] == "ada")
    #expect(shown["archive"]?["leaf_hash"]?.string?.utf8.count == 64)
  }

  /// The row of `calls` and the object of `show` come from different places and must not differ; sealing changes
  /// neither, but for where the call lies.
  @Test func listAndShowAgreeOnEveryKindOfCall() throws {
    var untimed = TestCall.text(9, startedAt: noon + 9 * second, ["数据处", "理完成"])
    untimed.hasTimes = false
    var rejected = TestCall(6, startedAt: noon + 6 * second)
    rejected.status = 401
    rejected.contentType = "application/json"
    rejected.add(#"{"code":401,"error":"Unauthorized","source":"gateway"}"#)
    var mock = TestCall.text(10, startedAt: noon + 10 * second)
    mock.request = Array(#"{"invoke_options":{"mock_response":"hi"}}"#.utf8)
    let calls: [TestCall] = [
      call, .tools(2, startedAt: noon + 2 * second), .midstreamError(3, startedAt: noon + 3 * second),
      .unfinished(4, startedAt: noon + 4 * second, cause: .clientClosed), .refused(5, startedAt: noon + 5 * second),
      rejected, .unfinished(7, startedAt: noon + 7 * second, cause: .upstreamClosed),
      .unfinished(8, startedAt: noon + 8 * second, cause: .timeout), untimed, mock,
      .unfinished(11, startedAt: noon + 11 * second, cause: nil),
    ]
    let (test, engine) = try engine(calls)
    let before = try compare(engine)
    _ = try Sealer(store: test.store, log: test.log).seal()
    try Indexer(store: test.store, log: test.log).run()
    #expect(try compare(engine) == before)
  }

  /// All calls as `show` has them, without their places in the archive.
  private func compare(_ engine: QueryEngine) throws -> [JSONValue] {
    let rows = try engine.calls(CallFilter())
    let entries = try engine.entries(CallFilter())
    #expect(rows.count == 11)
    return try zip(rows, entries).map { row, entry in
      let shown = try engine.show(entry)
      let left = Self.showKeys.filter { !["choices", "retrievals", "extra"].contains($0) }
      #expect(row.keys == left.map { $0 == "request" ? "text" : $0 })
      for key in row.keys where key != "text" { #expect(row[key] == shown[key], "\(entry.state) \(key)") }
      let content = shown["choices"]?.array?.first { $0["index"]?.integer == 0 }?["content"]
      #expect(row["text"] == content ?? .null)
      return .object(shown.members?.filter { $0.key != "archive" } ?? [])
    }
  }

  @Test func theTextOfAListIsCutAt200Characters() throws {
    let text = String(repeating: "数据é😀", count: 80)
    let (test, engine) = try engine([.text(1, startedAt: noon, [text])])
    defer { withExtendedLifetime(test) {} }
    let shown = try engine.calls(CallFilter()).first?["text"]?.string
    #expect(shown?.unicodeScalars.count == 200)
    #expect(text.hasPrefix(shown ?? "-"))
  }

  /// A list of many such errors would be as large as they are.
  @Test func theErrorOfAListIsCutAt10000Characters() throws {
    let message = String(repeating: "数据é😀", count: 3_000)
    var call = TestCall(1, startedAt: noon)
    call.status = 429
    call.contentType = "application/json"
    call.add(#"{"error":{"message":"\#(message)","code":"rate_limited"}}"#)
    let (test, engine) = try engine([call])
    defer { withExtendedLifetime(test) {} }
    let listed = try #require(try engine.calls(CallFilter()).first?["error"]?["message"]?.string)
    #expect(listed.unicodeScalars.count == 10_000 && message.hasPrefix(listed))
    let entry = try #require(try engine.entries(CallFilter()).first)
    #expect(try engine.show(entry)["error"]?["message"]?.string == message)
  }

  @Test(
    arguments: [
      ([], JSONValue.null), (Array("plain text".utf8), "plain text"), ([0xFF, 0x00, 0x41], ["base64": "/wBB"]),
      (Array(#"{"a":1e400,"a":2}"#.utf8), .object([.init("a", .number("1e400")), .init("a", 2)])),
    ] as [([UInt8], JSONValue)])
  func aRequestIsShownAsItWasSent(body: [UInt8], expected: JSONValue) throws {
    var call = TestCall.text(1, startedAt: noon)
    call.request = body
    #expect(try show(call)["request"] == expected)
  }

  @Test func inlineMediaIsNamedAndWholeWhenAskedFor() throws {
    let image = String(repeating: "iVBORw0KGgoAAAANSUhEUgAA", count: 100)
    let url = "data:image/png;base64,\(image)"
    var call = TestCall.text(1, startedAt: noon)
    call.request = Array(
      #"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"\#(url)"}}]}]}"#.utf8)
    let short = try show(call)["request"]?.compactString ?? ""
    #expect(!short.contains(image))
    #expect(short.contains("[image/png"))
    #expect(try show(call, full: true)["request"]?.compactString.contains(url) == true)
  }

  @Test func timesAreNullWithoutClock() throws {
    var call = call
    call.hasTimes = false
    #expect(
      try show(call)["timings"]?.compactString
        == #"{"first_byte_ms":null,"first_frame_ms":null,"first_content_ms":null,"duration_ms":null,"frames":4,"longest_gap_ms":null}"#
    )
  }

  @Test func aCallThatGoesOnIsShownAsFarAsItIs() throws {
    let test = try TestStore()
    let writer = try test.writer()
    let handle = call.begin(with: writer)
    call.addFrames(0..<1, handle, with: writer)
    _ = writer.flush()
    try Indexer(store: test.store, log: test.log).run()
    let engine = try QueryEngine(store: test.store)
    let shown = try engine.show(engine.resolve("@1"))
    #expect(shown["state"] == "open")
    #expect(shown["choices"]?.array?.first?["content"] == "Hel")
    #expect(shown["timings"]?["duration_ms"] == .null)
    #expect(shown["archive"]?["leaf_hash"] == .null)
    try writer.close()
  }

  @Test func aMockCallCostsNothingAndSaysWhy() throws {
    var call = call
    call.request = Array(#"{"invoke_options":{"mock_response":"hi"}}"#.utf8)
    let shown = try show(call)
    #expect(shown["mock"] == true)
    #expect(shown["cost"]?["total_usd"] == "0")
    #expect(shown["cost"]?["notes"]?.array?.isEmpty == false)
  }

  @Test func aCallThatIsNotIndexedYetIsFoundByItsID() throws {
    let (test, engine) = try engine([call])
    let later = TestCall.text(2, startedAt: noon + second)
    try test.record(later)
    #expect(try engine.show(engine.resolve(later.id.description))["state"] == "done")
    #expect(engine.isStale)
    try Indexer(store: test.store, log: test.log).run()
    #expect(!engine.isStale)
  }
}
