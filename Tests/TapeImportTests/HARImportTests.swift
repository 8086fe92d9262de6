import Foundation
import TapeArchive
import TapeJSON
import TapeRecorder
import TapeTypes
import Testing

@Suite struct HARImportTests {
  private static func har(_ entries: String...) -> String {
    "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"t\",\"version\":\"1\"},\"entries\":[\(entries.joined(separator: ","))]}}"
  }

  private static func entry(
    _ start: String = "2026-01-02T03:04:05.678Z",
    url: String = "https://user:pw@api.openai.com/v1/chat/completions?api_key=sk-1&x=2#f",
    request: String = "\"postData\":{\"mimeType\":\"application/json\",\"text\":\"{\\\"model\\\":\\\"m\\\"}\"}",
    response: String =
      "\"response\":{\"status\":200,\"httpVersion\":\"h2\",\"headers\":[{\"name\":\"content-type\",\"value\":\"text/event-stream\"}],\"content\":{\"size\":12,\"mimeType\":\"text/event-stream\",\"text\":\"data: a\\n\\ndata: b\\n\\n\"}}",
    more: String = ""
  ) -> String {
    "{\"startedDateTime\":\"\(start)\",\"request\":{\"method\":\"POST\",\"url\":\"\(url)\",\"headers\":[{\"name\":\":authority\",\"value\":\"x\"},{\"name\":\"Authorization\",\"value\":\"Bearer sk-secret\"}],\(request)},\(response)\(more)}"
  }

  private func call(_ text: String, _ options: Importer.Options = .init()) throws -> RecordedCall {
    let scratch = try Scratch()
    let store = try scratch.store()
    let outcomes = try store.importing(scratch.file("a.har", text), options)
    let id = try #require(outcomes.first).id
    return try #require(store.calls()[id])
  }

  @Test func aStreamOfABrowserIsACallWithoutFrameTimes() throws {
    let call = try call(Self.har(Self.entry()))
    #expect(call.raw == Array("data: a\n\ndata: b\n\n".utf8) && call.frameCount == 2 && !call.open.hasTimes)
    #expect(call.open.startedAtNs == 1_767_323_045_678_000_000 && call.open.origin == .import)
    #expect(call.open.upstream == "https://api.openai.com" && call.open.method == "POST")
    #expect(call.open.body == Array("{\"model\":\"m\"}".utf8))
    #expect(call.head?.status == 200 && call.head?.httpVersion == "2" && call.end?.cause == .endOfBody)
  }

  @Test func secretsDoNotGetOnTape() throws {
    let call = try call(Self.har(Self.entry()))
    #expect(call.open.path == "/v1/chat/completions?api_key=[redacted]&x=2")
    #expect(call.open.headers == [HeaderField("Authorization", "[redacted]")])
    #expect(call.open.redactions.contains("header:authorization") && call.open.redactions.contains("query:api_key"))
    #expect(call.open.keyFingerprint != nil)
  }

  @Test func aBodyThatIsNoStreamHasTheTimesOfTheArchive() throws {
    let response =
      "\"response\":{\"status\":200,\"content\":{\"mimeType\":\"application/json\",\"text\":\"e30=\",\"encoding\":\"base64\"}}"
    let timings =
      ",\"timings\":{\"blocked\":1,\"dns\":-1,\"connect\":2,\"ssl\":1.5,\"send\":0.25,\"wait\":100.5,\"receive\":3}"
    let call = try call(Self.har(Self.entry(response: response, more: timings)))
    #expect(call.raw == Array("{}".utf8) && call.open.hasTimes)
    #expect(
      call.head?.offsetNs == 103_750_000 && call.frameOffsetsNs == [106_750_000] && call.end?.offsetNs == 106_750_000)
    #expect(call.head?.headers == [HeaderField("content-type", "application/json")])
  }

  @Test(arguments: [
    ("2026-01-02T03:04:05.678Z", Int64(1_767_323_045_678_000_000)),
    ("2026-01-02T04:04:05.678+01:00", 1_767_323_045_678_000_000),
    ("2026-01-02T04:04:05.678+0100", 1_767_323_045_678_000_000), ("2026-01-02T03:04:05", 1_767_323_045_000_000_000),
    ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456_789),
  ]) func theStartIsReadHoweverItIsWritten(text: String, start: Int64) throws {
    #expect(try call(Self.har(Self.entry(text))).open.startedAtNs == start)
  }

  @Test(arguments: [
    // A response that did not come; one that was cut; one that the user stopped.
    ("\"response\":{\"status\":0,\"_error\":\"net::ERR_CONNECTION_REFUSED\"}", CallEnd.Cause.upstreamFailed, Int?.none),
    ("\"response\":null", .upstreamFailed, nil), ("\"x\":1", .upstreamFailed, nil),
    (
      "\"response\":{\"status\":200,\"_error\":\"net::ERR_INCOMPLETE_CHUNKED_ENCODING\",\"content\":{}}",
      .upstreamClosed, 200
    ),
    ("\"response\":{\"status\":200,\"_error\":\"net::ERR_ABORTED\"}", .clientClosed, 200),
    ("\"response\":{\"status\":0,\"_error\":\"net::ERR_TIMED_OUT\"}", .timeout, nil),
    ("\"response\":{\"status\":429,\"content\":{\"text\":\"{}\"}}", .endOfBody, 429),
  ]) func theEndIsWhatTheArchiveTells(response: String, cause: CallEnd.Cause, status: Int?) throws {
    let call = try call(Self.har(Self.entry(response: response)))
    #expect(call.end?.cause == cause && call.head?.status == status)
  }

  @Test func aBodyThatTheArchiveDoesNotHaveIsAGap() throws {
    let call = try call(Self.har(Self.entry(response: "\"response\":{\"status\":200,\"content\":{\"size\":5000}}")))
    #expect(
      call.raw.isEmpty && call.end?.gapBytes == 5000 && call.end?.bytes == 5000 && integrityProblem(of: call) == nil)
  }

  @Test func aContentCodingThatIsGoneIsSaid() throws {
    let response =
      "\"response\":{\"status\":200,\"headers\":[{\"name\":\"Content-Encoding\",\"value\":\"br\"},{\"name\":\"Content-Length\",\"value\":\"5\"}],\"content\":{\"text\":\"{}\"}}"
    let head = try call(Self.har(Self.entry(response: response))).head
    #expect(head?.decoded == "br" && head?.headers == [])
  }

  @Test(arguments: [
    (
      "\"postData\":{\"mimeType\":\"application/x-www-form-urlencoded\",\"params\":[{\"name\":\"a\",\"value\":\"1 2\"},{\"name\":\"b\"}]}",
      "a=1%202&b="
    ),
    ("\"postData\":{\"mimeType\":\"x\",\"text\":\"aGk=\",\"encoding\":\"base64\"}", "hi"), ("\"postData\":null", ""),
    ("\"x\":1", ""),
  ]) func theRequestIsRead(request: String, body: String) throws {
    #expect(try call(Self.har(Self.entry(request: request))).open.body == Array(body.utf8))
  }

  @Test func theRequestOfAFileStandsInWhereThereIsNone() throws {
    let call = try call(Self.har(Self.entry(request: "\"x\":1")), .init(request: Array("{\"key\":\"k\"}".utf8)))
    #expect(call.open.body == Array("{\"key\":\"k\"}".utf8))
  }

  @Test func pagesAndPicturesAreLeftOut() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let page =
      "{\"request\":{\"method\":\"GET\",\"url\":\"https://x/y.png\"},\"response\":{\"status\":200,\"content\":{\"text\":\"\"}}}"
    let socket = "{\"request\":{\"method\":\"GET\",\"url\":\"wss://x/y\"}}"
    let importer = try Importer(store: store, options: .init(), log: quiet)
    let result = importer.importCalls(of: try scratch.file("a.har", Self.har(page, Self.entry(), socket, page)))
    try importer.finish()
    #expect(
      result.failure == nil && result.outcomes.count == 1 && result.remark?.contains("left out 3 entries") == true)
  }

  @Test func theSameIsImportedOnceUnlessAskedFor() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let path = try scratch.file("a.har", Self.har(Self.entry(), Self.entry("2026-01-02T03:04:06Z"), Self.entry()))
    let first = try store.importing(path)
    #expect(first.map(\.isNew) == [true, true, false] && first[0].id == first[2].id)
    #expect(try store.importing(path).map(\.id) == first.map(\.id))
    #expect(try store.importing(path, .init(again: true)).allSatisfy { $0.isNew })
  }

  @Test(arguments: [
    "", "{", "[]", "null", "{}", "{\"log\":1}", "{\"log\":{}}", "{\"log\":{\"entries\":{}}}",
    "{\"log\":{\"entries\":null}}",
    "{\"log\":{\"version\":\"2.0\",\"entries\":[]}}", har() + "x", har(entry()).dropLast(1).description, har("{}"),
    har("1"), har("[]"),
    har("null"), har("\"x\""), "{\"log\":{\"entries\":[,]}}", "{\"log\":{\"entries\":[{} {}]}}",
    "{\"log\":{\"entries\":[{},]}}",
    "{\"log\":{\"entries\":[],\"entries\":[]}}", har(entry(), "{\"request\":{}}"), har("{\"request\":{\"url\":5}}"),
    har("{\"request\":{\"url\":\"nonsense\"}}"), har("{\"request\":{\"url\":\"http://x/\",\"method\":{}}}"),
    har(entry("yesterday")),
    har(entry(response: "\"response\":[]")), har(entry(response: "\"response\":{\"status\":\"ok\"}")),
    har(entry(response: "\"response\":{\"status\":99999}")), har(entry(response: "\"response\":{\"content\":7}")),
    har(entry(response: "\"response\":{\"status\":200,\"content\":{\"text\":5}}")),
    har(entry(response: "\"response\":{\"content\":{\"text\":\"%%\",\"encoding\":\"base64\"}}")),
    har(entry(response: "\"response\":{\"content\":{\"text\":\"x\",\"encoding\":\"rot13\"}}")),
    har(entry(request: "\"postData\":[]")), har(entry(request: "\"headers\":{}")),
    har(entry(response: "\"response\":{\"status\":200,\"headers\":[{\"value\":\"x\"}]}")),
    har(entry(), String(repeating: "[", count: 5000)), String(repeating: "{\"log\":", count: 5000), har("{\"a\":tru}"),
    har("{\"a\":\"\u{1}\"}"),
  ]) func whatIsNoArchiveIsRefusedWhole(text: String) throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let path = try scratch.file("a.har", text)
    let error = #expect(throws: TapeError.self) { try store.importing(path) }
    #expect(error?.code == .failed && error?.description.hasPrefix("cannot import \(path) as a HAR file: ") == true)
    #expect(error?.description.hasSuffix("nothing of it was taken") == true)
    #expect(try store.calls().isEmpty)
  }

  @Test func anyBeginningOfAnArchiveIsRefused() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let bytes = Array(Self.har(Self.entry(), Self.entry("2026-01-02T03:04:06Z")).utf8)
    for count in stride(from: 0, to: bytes.count, by: 7) {
      let path = try scratch.file("a.har", Array(bytes[..<count]))
      #expect(throws: TapeError.self) { try store.importing(path) }
    }
    #expect(try store.calls().isEmpty)
  }

  @Test func anArchiveIsKnownByItsContentToo() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let bytes = [0xEF, 0xBB, 0xBF] + Array(" \n".utf8) + Array(Self.har(Self.entry()).utf8)
    #expect(try store.importing(scratch.file("export.json", bytes)).count == 1)
    #expect(try store.importing(scratch.file("export.har", bytes)).map(\.isNew) == [false])
  }
}

@Suite struct HARRoundTripTests {
  private func exported(_ store: Store) throws -> String {
    var writer = HARWriter(program: "t", version: "1")
    var out = writer.start()
    for call in try store.calls().values.sorted(by: { $0.open.id < $1.open.id }) {
      let state = CallState(head: call.head, end: call.end, isLive: false, isComplete: false, hasErrorFrame: false)
      out += writer.entry(call, state: state)
    }
    return String(decoding: out + writer.finish(), as: UTF8.self)
  }

  /// Calls with what a HAR has no place for: times, odd frames, bytes that are no text, ends of every kind.
  private func original(_ scratch: Scratch) throws -> Store {
    let store = try scratch.store("original")
    let lines = [
      "{\"t_ns\":1000,\"call\":0,\"ev\":\"open\",\"request_base64\":\"/wAB\",\"upstream\":\"http://[::1]:80\",\"path\":\"/a b?key=[redacted]\",\"headers\":[[\"A\",\"1\"],[\"a\",\"2\"]],\"http_status\":200,\"http_version\":\"1.1\",\"head_offset_ns\":-5,\"response_headers\":[[\"content-type\",\"text/event-stream\"]],\"decoded\":\"gzip\"}",
      "{\"t_ns\":1001,\"call\":1,\"ev\":\"open\",\"request\":{\"a\":1},\"http_status\":null}",
      "{\"t_ns\":1002,\"call\":0,\"ev\":\"frame\",\"raw\":\"data: x\\n\\n\"}",
      "{\"t_ns\":1003,\"call\":0,\"ev\":\"frame\",\"raw_base64\":\"/v8=\"}",
      "{\"t_ns\":1002,\"call\":0,\"ev\":\"frame\",\"raw\":\"\"}",
      "{\"t_ns\":2000,\"call\":0,\"ev\":\"end\",\"how\":\"cut\"}",
      "{\"t_ns\":2000,\"call\":1,\"ev\":\"end\",\"how\":\"error\"}",
      "{\"t_ns\":3000,\"call\":2,\"ev\":\"open\",\"has_times\":false}",
      "{\"t_ns\":3000,\"call\":2,\"ev\":\"frame\",\"raw\":\"数据 \\u0000\"}",
      "{\"t_ns\":3000,\"call\":2,\"ev\":\"end\",\"how\":\"timeout\"}", "{\"t_ns\":4000,\"call\":3,\"ev\":\"open\"}",
      "{\"t_ns\":4001,\"call\":3,\"ev\":\"frame\",\"raw\":\"data: lost\"}",
      "{\"t_ns\":4002,\"call\":3,\"ev\":\"end\",\"how\":\"lost\"}",
    ]
    _ = try store.importing(scratch.file("a.jsonl", lines.joined(separator: "\n")))
    return store
  }

  @Test func exportAndImportGiveTheSameCalls() throws {
    let scratch = try Scratch()
    let store = try original(scratch)
    let text = try exported(store)
    let other = try scratch.store("other")
    let outcomes = try other.importing(scratch.file("out.har", text))
    #expect(outcomes.count == 4 && outcomes.allSatisfy { $0.isNew })
    let (before, after) = (try store.calls(), try other.calls())
    #expect(before.count == 4 && Set(before.keys) == Set(after.keys))
    for (id, call) in before {
      #expect(after[id] == call)
      #expect(after[id].map { leafHash(of: $0) } == leafHash(of: call))
    }
    #expect(try exported(other) == text)
    #expect(try store.importing(scratch.file("out.har", text)).allSatisfy { !$0.isNew })
  }

  @Test func anArchiveThatWasChangedIsWhatCanBeSeen() throws {
    let scratch = try Scratch()
    let store = try original(scratch)
    let changed = try exported(store).replacing("数据", with: "[gone]").replacing("/a%20b", with: "/c")
    let calls = try scratch.store("other")
    _ = try calls.importing(scratch.file("out.har", changed))
    let (before, after) = (try store.calls(), try calls.calls())
    #expect(after.values.contains { $0.raw == Array("[gone] \u{0}".utf8) && before[$0.open.id] == nil })
    #expect(after.values.contains { $0.open.path.hasPrefix("/c") && before[$0.open.id] == nil })
  }
}
