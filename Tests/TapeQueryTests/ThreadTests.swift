import TapeArchive
import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct ThreadTests {
  private func thread(_ calls: [TestCall], _ name: String = "t", full: Bool = false) throws -> [JSONValue] {
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    return try rows(engine, name, full: full)
  }

  private func rows(_ engine: QueryEngine, _ name: String, full: Bool = false) throws -> [JSONValue] {
    var rows: [JSONValue] = []
    try engine.thread(name, full: full) { if let json = $0.json { rows.append(json) } }
    return rows
  }

  private func call(
    _ number: Int, _ messages: String, _ answer: String, usage: TestUsage? = TestUsage(10, 3), extra: String = ""
  ) -> TestCall {
    .text(
      number, startedAt: noon + Int64(number) * second, [answer],
      request: #"{"key":"bot","thread":{"id":"t"},"messages":[\#(messages)]\#(extra)}"#, usage: usage)
  }

  private func new(_ row: JSONValue) -> [String] {
    (row["messages"]?.array ?? []).map {
      "\($0["position"]?.plain ?? "") \($0["role"]?.plain ?? ""): \($0["content"]?.plain ?? "")"
    }
  }

  private let first = #"{"role":"user","content":"One?"}"#
  private let answer = #"{"role":"assistant","content":"Uno."}"#
  private let next = #"{"role":"user","content":"Two?"}"#

  @Test func eachCallHasWhatIsNewAndTheSumsSoFar() throws {
    let rows = try thread([
      call(1, first, "Uno.", usage: TestUsage(100, 20)), call(2, "\(first),\(answer),\(next)", "Dos.", usage: nil),
      call(3, "\(first),\(answer),\(next),\(answer)", "?", usage: TestUsage(200, 10)),
    ])
    #expect(rows.map { $0["history"]?.plain } == ["first", "resent", "edited"])
    #expect(rows.map(new) == [["0 user: One?"], ["2 user: Two?"], []])
    #expect(rows.map { $0["messages_sent"]?.integer } == [1, 3, 4])
    #expect(rows[1]["since"] == rows[0]["call_id"])
    #expect(
      rows[2]["changes"]?.compactString
        == #"[{"kind":"edited","position":3,"was":3,"role":"assistant","before":"Dos.","after":"Uno."}]"#)
    #expect(rows.map { $0["running"]?["total_tokens"]?.integer } == [120, 120, 330])
    #expect(rows.map { $0["running"]?["calls_without_usage"]?.integer } == [0, 1, 1])
    #expect(rows.map { $0["running"]?["cost_usd"]?.string } == ["0.00045", "0.00045", "0.00105"])
    #expect(rows[0]["choices"]?.array?.first?["content"] == "Uno.")
  }

  @Test func inputsAreShownWhereTheyAreNotWhatTheyWere() throws {
    let rows = try thread([
      call(1, "", "a", extra: #","inputs":{"city":"Utrecht","day":"Monday"}"#),
      call(2, "", "b", extra: #","inputs":{"city":"Utrecht","day":"Friday"}"#), call(3, "", "c"),
    ])
    #expect(
      rows.map { $0["inputs"]?.compactString } == [#"{"city":"Utrecht","day":"Monday"}"#, #"{"day":"Friday"}"#, "{}"])
  }

  @Test func anyAPIAndAnyBodyHasItsPlace() throws {
    var responses = call(2, "", "b")
    responses.request = Array(
      #"{"thread":"t","instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"42"},{"type":"reasoning","summary":[]}]}"#
        .utf8)
    var anthropic = call(3, "", "c")
    anthropic.request = Array(
      #"{"thread":{"id":"t"},"system":[{"type":"text","text":"Be kind."}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Look:"},{"type":"tool_use","id":"u","name":"g","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"u","content":"43"}]}]}"#
        .utf8)
    var plain = call(4, "", "d")
    plain.request = Array("just text".utf8)
    plain.headers = [HeaderField("X-Tapedeck-Thread", "t")]
    var binary = call(5, "", "e")
    binary.request = [0xFF, 0xFE]
    binary.headers = plain.headers
    let rows = try thread([call(1, "", "a"), responses, anthropic, plain, binary])
    #expect(new(rows[1]) == ["0 system: Be brief.", "1 user: Hi", "2 assistant: ", "3 tool: 42"])
    #expect(rows[1]["messages"]?.array?[2]["tool_calls"]?.compactString == #"[{"id":"c","name":"f","arguments":"{}"}]"#)
    #expect(
      rows[2]["changes"]?.array?.map { $0["after"]?.plain }
        == ["Be kind.", "Look:\n→ g({\"a\":1})", nil].map { $0 ?? "null" })
    #expect(new(rows[2]) == ["3 user: 43"] && rows[2]["messages"]?.array?[0]["tool_call_id"] == "u")
    #expect(new(rows[3]) == ["0 null: just text"] && new(rows[4]) == ["0 null: [2 bytes]"])
  }

  @Test func mediaAreNamedAndWholeWhenAskedFor() throws {
    let url = "data:image/png;base64," + String(repeating: "iVBORw0KGgoAAAANSUhEUgAA", count: 100)
    let message =
      #"{"role":"user","content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"\#(url)"}}]}"#
    let short = try new(thread([call(1, message, "a")])[0])[0]
    #expect(short.hasPrefix("0 user: See\n[image/png") && short.utf8.count < 100)
    #expect(try new(thread([call(1, message, "a")], full: true)[0])[0].contains(url))
  }

  @Test func mockCallsAreShownAndNotSummedUp() throws {
    let rows = try thread([
      call(1, first, "a"), call(2, first, "b", extra: #","invoke_options":{"mock_response":"b"}"#),
    ])
    #expect(rows[1]["mock"] == true && rows[1]["cost"]?["total_usd"] == "0")
    #expect(rows[1]["running"] == rows[0]["running"])
  }

  @Test func aCallThatGoesOnIsShownAsFarAsItIs() throws {
    let test = try TestStore()
    let writer = try test.writer()
    let live = call(1, first, "Uno.")
    let handle = live.begin(with: writer)
    live.addFrames(0..<1, handle, with: writer)
    call(2, "\(first),\(next)", "Dos.").record(with: writer)
    _ = writer.flush()
    try Indexer(store: test.store, log: test.log).run()
    let rows = try rows(QueryEngine(store: test.store), "t")
    #expect(rows[0]["state"] == "open" && rows[0]["choices"]?.array?.first?["content"] == "Uno.")
    // It asked beside the first one: that its answer is not there is no edit.
    #expect(rows[1]["overlaps"] == true && rows[1]["history"] == "resent" && new(rows[1]) == ["1 user: Two?"])
    try writer.close()
  }

  @Test func callsWithoutTimesOrAnswerArePartOfIt() throws {
    var untimed = call(1, first, "Uno.")
    untimed.hasTimes = false
    let refused = TestCall.refused(
      2, startedAt: noon + 2 * second, request: #"{"thread":{"id":"t"},"messages":[\#(first),\#(answer),\#(next)]}"#)
    let rows = try thread([untimed, refused, call(3, "\(first),\(answer),\(next)", "Dos.")])
    #expect(rows.map { $0["history"]?.plain } == ["first", "resent", "retry"])
    #expect(rows[1]["state"] == "upstream_error" && rows[1]["choices"] == [])
    #expect(rows.allSatisfy { $0["overlaps"] == false })
  }

  @Test func aCallThatCannotBeReadDoesNotHideTheOthers() throws {
    let test = try TestStore()
    try test.record(call(1, first, "Uno."))
    _ = try Sealer(store: test.store, log: test.log).seal()
    try test.record(call(2, first, "Dos."))
    try Indexer(store: test.store, log: test.log).run()
    let place = try #require(try QueryEngine(store: test.store).entries(CallFilter(), sort: .oldest).first?.location)
    let path = test.store.archivePath + "/" + place.file
    var bytes = try test.store.files.contents(path, limit: 1 << 20)
    for index in place.offset + 20..<place.offset + 60 { bytes[index] = ~bytes[index] }
    let file = try #require(fopen(path, "r+"))
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    var found: [(text: String?, damage: String?)] = []
    try QueryEngine(store: test.store).thread("t") { call in
      found.append((call.json?["choices"]?.array?.first?["content"]?.string, call.damage))
    }
    try #require(found.count == 2)
    #expect(found[0].text == nil && found[0].damage?.contains("damaged") == true)
    #expect(found[1].text == "Dos." && found[1].damage == nil)
  }

  @Test func anUnknownThreadNamesThoseThatBeginAlike() throws {
    let calls = (1...9).map { number in
      TestCall.text(number, startedAt: noon, request: request(thread: "thread_\(number)"))
    }
    let (test, engine) = try engine(calls)
    defer { withExtendedLifetime(test) {} }
    func failure(_ name: String) -> TapeError? {
      do {
        try engine.thread(name) { _ in }
        return nil
      } catch {
        return error as? TapeError
      }
    }
    #expect(failure("thread_")?.code == .notFound)
    #expect(
      failure("thread_")?.description.hasSuffix(
        "there is thread_1, thread_2, thread_3, thread_4, thread_5, thread_6, …") == true)
    #expect(failure("none")?.description.contains("there is") == false)
    #expect(failure("")?.code == .notFound)
    #expect(failure("@99")?.code == .notFound && failure("@x")?.code == .usage)
    #expect(try rows(engine, "@1").count == 1)
  }
}
