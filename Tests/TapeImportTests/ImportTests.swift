import Crypto
import Foundation
import TapeArchive
import TapeJSON
import TapeRecorder
import TapeTypes
import Testing

@Suite struct RawCaptureTests {
  private let stream =
    "data: {\"id\":\"r1\",\"created\":\"2026-01-02T03:04:05.5Z\"}\r\n\r\n: keep-alive\n\ndata: [DONE]"

  @Test func theBytesComeBackAndHaveNoTimes() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let outcome = try #require(store.importing(scratch.file("a.sse", stream)).first)
    let call = try #require(store.calls()[outcome.id])
    #expect(call.raw == Array(stream.utf8))
    #expect(call.frameCount == 3)
    #expect(call.frameOffsetsNs.isEmpty)
    #expect(!call.open.hasTimes)
    #expect(call.open.origin == .import)
    #expect(call.open.startedAtNs == 1_767_323_045_500_000_000)
    #expect(call.end?.cause == .endOfBody)
    #expect(call.head?.status == 200)
  }

  @Test(arguments: [
    ("{\"created\":1700000000}", Int64(1_700_000_000_000_000_000)),
    ("data: x\n\ndata: {\"created\":1700000000123}\n\n", 1_700_000_000_123_000_000),
    ("data: {\"created\":\"2026-01-02T03:04:05+01:00\"}\n\n", 1_767_319_445_000_000_000),
    ("{\"created\":\"2026-01-02T03:04:05\"}", 1_767_323_045_000_000_000),
    ("{\"created\":\"2026-01-02T03:04:05.5\"}", 1_767_323_045_500_000_000),
    ("{\"created\":\"1700000000\"}", 1_700_000_000_000_000_000),
    ("{\"created\":\"1700000000123\"}", 1_700_000_000_123_000_000),
    ("{\"created\":1700000000.123456789012}", 1_700_000_000_123_456_789),
    ("{\"created\":\"1700000000.5\"}", 1_700_000_000_500_000_000),
    ("{\"created\":1700000000123.25}", 1_700_000_000_123_250_000),
    ("{\"created\":1.7e9}", 1_700_000_000_000_000_000), ("{\"created\":1700000000.0}", 1_700_000_000_000_000_000),
    // What says nothing is passed over.
    ("data: {\"created\":\"soon\"}\n\ndata: {\"created\":1e300}\n\ndata: {\"created\":5}\n\n", 5_000_000_000),
    ("data: {\"created\":\"1.5x\"}\n\ndata: {\"created\":-1.5}\n\ndata: {\"created\":5}\n\n", 5_000_000_000),
  ]) func theStartIsTheFirstCreated(text: String, start: Int64) throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    _ = try store.importing(scratch.file("a.sse", text))
    #expect(try store.calls().values.map(\.open.startedAtNs) == [start])
  }

  @Test func theFlagAndTheRequestWin() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let options = Importer.Options(request: Array("{\"key\":\"k\"}".utf8), startedAtNs: 77)
    _ = try store.importing(scratch.file("a.sse", stream), options)
    let call = try #require(store.calls().values.first)
    #expect(call.open.startedAtNs == 77)
    #expect(call.open.body == Array("{\"key\":\"k\"}".utf8))
  }

  @Test func theSameIsImportedOnceUnlessAskedFor() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let path = try scratch.file("a.sse", stream)
    let first = try store.importing(path)
    #expect(try store.importing(path) == [Importer.Outcome(id: first[0].id, isNew: false)])
    _ = try Sealer(store: store, log: quiet).seal()
    #expect(try store.importing(path) == [Importer.Outcome(id: first[0].id, isNew: false)])
    #expect(try store.importing(path, .init(request: [0x31])).map(\.isNew) == [true])
    #expect(try store.importing(path, .init(startedAtNs: 5)).map(\.isNew) == [true])
    #expect(try store.importing(path, .init(again: true)).map(\.isNew) == [true])
    #expect(try store.calls().count == 4)
  }

  @Test func anEmptyFileIsACall() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    _ = try store.importing(scratch.file("a.sse", ""))
    #expect(try store.calls().values.map(\.frameCount) == [0])
  }

  @Test func aMissingFileIsNamed() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let error = #expect(throws: TapeError.self) { try store.importing("/nowhere/x.sse") }
    #expect(error?.description.contains("/nowhere/x.sse") == true)
  }
}

@Suite struct TimedCaptureTests {
  private let twoCalls = #"""
    {"t_ns": 1000, "call": 7, "ev": "open", "request": {"key": "a", "n": 1.50}}
    {"t_ns": 1500, "call": 9, "ev": "open", "request": {"key": "b"}}
    {"t_ns": 2000, "call": 9, "ev": "frame", "raw": "data: {\"t\":\"caf\u00e9 \ud83d\ude80\"}\n\n"}
    {"call": 7, "raw": "data: one\r\n\r\n", "ev": "frame", "extra": {"x": ["]", "\"}"]}, "t_ns": 2500}

    {"t_ns": 2600, "call": 9, "ev": "end", "how": "cut"}
    {"t_ns": 2700, "call": 7, "ev": "frame", "raw_base64": "/wBhCg=="}
    {"t_ns": 2800, "call": 7, "ev": "end", "how": "done"}
    """#

  @Test func callsSideBySideAreToldApart() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let outcomes = try store.importing(scratch.file("a.jsonl", twoCalls))
    let calls = try store.calls()
    #expect(outcomes.count == 2)
    let first = try #require(calls[outcomes[0].id])
    let second = try #require(calls[outcomes[1].id])
    #expect(first.open.startedAtNs == 1000)
    #expect(first.open.body == Array(#"{"key":"a","n":1.50}"#.utf8))
    #expect(first.raw == Array("data: one\r\n\r\n".utf8) + [0xFF, 0x00, 0x61, 0x0A])
    #expect(first.frameOffsetsNs == [1500, 1700])
    #expect(first.end?.cause == .endOfBody)
    #expect(first.end?.offsetNs == 1800)
    #expect(second.raw == Array("data: {\"t\":\"café 🚀\"}\n\n".utf8))
    #expect(second.end?.cause == .clientClosed)
    #expect(second.end?.clientClosedNs == 1100)
  }

  @Test(arguments: [
    ("done", "data: x", "end_of_body"), ("cut", "data: x", "client_closed"),
    ("client_abort", "data: x", "client_closed"),
    ("upstream_cut", "data: x", "upstream_closed"), ("timeout", "data: x", "timeout"),
    ("error", #"data: {\"error\":{\"code\":502}}"#, "end_of_body"), ("error", "data: x", "upstream_failed"),
    ("upstream_error", #"event: error\ndata: x"#, "end_of_body"),
    ("error", #"data: {\"error\":null}"#, "upstream_failed"),
  ]) func howItEndedBecomesWhatTheTransportSaw(how: String, frame: String, cause: String) throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let text =
      #"{"t_ns":1,"call":0,"ev":"open"}"# + "\n{\"t_ns\":2,\"call\":0,\"ev\":\"frame\",\"raw\":\"\(frame)\\n\\n\"}\n"
      + "{\"t_ns\":3,\"call\":0,\"ev\":\"end\",\"how\":\"\(how)\"}\n"
    _ = try store.importing(scratch.file("a.jsonl", text))
    #expect(try store.calls().values.map { $0.end?.cause.rawValue } == [cause])
  }

  @Test(arguments: [#","ev":"end","how":"lost"}"#, #","ev":"end","how":"open"}"#, nil]) func aLostCallHasNoEnd(
    end: String?
  ) throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let lines = [#"{"t_ns":1,"call":0,"ev":"open"}"#] + (end.map { ["{\"t_ns\":3,\"call\":0" + $0] } ?? [])
    _ = try store.importing(scratch.file("a.jsonl", lines.joined(separator: "\n")))
    let call = try #require(store.calls().values.first)
    #expect(call.end == nil)
    #expect(!call.isLive)
  }

  @Test(arguments: [
    ("{\"t_ns\":1,\"call\":0,\"ev\":\"frame\",\"raw\":\"\"}", "line 1"),
    ("{\"t_ns\":1,\"call\":0,\"ev\":\"open\"}\n{\"t_ns\":1,\"call\":0,\"ev\":\"frame\",\"raw\":\"\\ud83d\"}", "line 2"),
    ("{\"t_ns\":1,\"call\":0,\"ev\":\"open\"}\nnonsense", "line 2"),
    ("{\"t_ns\":1,\"call\":0,\"ev\":\"open\",\"call_id\":\"short\"}", "call_id"),
    ("{\"t_ns\":1,\"call\":0,\"ev\":\"open\"}\n{\"t_ns\":1,\"call\":0,\"ev\":\"end\",\"how\":\"well\"}", "well"),
    ("{\"t_ns\":1,\"call\":0,\"ev\":\"open\"}\n{\"t_ns\":1,\"call\":0,\"ev\":\"open\"}", "open already"),
  ]) func aBadLineIsNamed(text: String, expected: String) throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let path = try scratch.file("a.jsonl", text)
    let error = #expect(throws: TapeError.self) { try store.importing(path) }
    #expect(error?.description.contains(expected) == true)
    #expect(error?.description.contains(path) == true)
  }

  @Test func theSameIsImportedOnceUnlessAskedFor() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let path = try scratch.file("a.jsonl", twoCalls)
    let first = try store.importing(path)
    let second = try store.importing(path)
    #expect(second == first.map { Importer.Outcome(id: $0.id, isNew: false) })
    #expect(try store.importing(path, .init(again: true)).allSatisfy(\.isNew))
    #expect(try store.calls().count == 4)
    // Within one run too.
    let importer = try Importer(store: scratch.store("other"), options: .init(), log: quiet)
    #expect(try importer.importFile(path).map(\.isNew) == [true, true])
    #expect(try importer.importFile(path).map(\.isNew) == [false, false])
    try importer.finish()
  }

  @Test func aCaptureThatTurnsOutBadLeavesItsWholeCalls() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let text =
      twoCalls.split(separator: "\n").dropLast(2).joined(separator: "\n") + "\nnonsense\n" + "{\"t_ns\":1}\n"
    let importer = try Importer(store: store, options: .init(), log: quiet)
    let result = try importer.importCalls(of: scratch.file("a.jsonl", text))
    let next = try importer.importCalls(of: scratch.file("b.sse", "data: 1\n\n"))
    try importer.finish()
    #expect("\(result.failure.map { "\($0)" } ?? "")".contains("line 6"))
    let calls = try store.calls()
    #expect(Set(calls.keys) == Set((result.outcomes + next.outcomes).map(\.id)))
    #expect(result.outcomes.count == 1)
    #expect(next.outcomes.count == 1)
    #expect(calls.values.allSatisfy { $0.end != nil })
  }

  /// On tape it would be damage that nothing but an erasure gets rid of.
  @Test(arguments: [
    (2, 9, 0, 0, ""), (1, 10, 0, 0, ""), (1, 9, -1, 0, ""), (1, 9, 0, -9, ""), (1, 9, 1, 3, ""),
    (1, 9, 0, 0, ",\"sha256\":\"\(String(repeating: "0", count: 64))\""),
  ])
  func aCallThatIsNotWhatItsEndSaysIsNotTaken(frames: Int, bytes: Int, gapFrames: Int, gapBytes: Int, more: String)
    throws
  {
    let scratch = try Scratch()
    let lines = [
      #"{"t_ns":1000,"call":1,"ev":"open","request":{}}"#, #"{"t_ns":1000,"call":2,"ev":"open","request":{}}"#,
      #"{"t_ns":1001,"call":1,"ev":"frame","raw":"data: x\n\n"}"#,
      #"{"t_ns":1002,"call":1,"ev":"end","how":"done","cause":"end_of_body","frames":\#(frames),"bytes":\#(bytes),"#
        + #""gap_frames":\#(gapFrames),"gap_bytes":\#(gapBytes),"clock_step_ns":0\#(more)}"#,
      #"{"t_ns":1003,"call":2,"ev":"frame","raw":"data: y\n\n"}"#, #"{"t_ns":1004,"call":2,"ev":"end","how":"done"}"#,
    ]
    let store = try scratch.store()
    let importer = try Importer(store: store, options: .init(), log: quiet)
    let result = importer.importCalls(of: try scratch.file("a.jsonl", lines.joined(separator: "\n")))
    try importer.finish()
    #expect(result.outcomes.count == 1)
    #expect("\(try #require(result.failure))".contains("in line 4 of"))
    #expect(try Verifier(store: store).run(kept: []).damage.isEmpty)
    #expect(try ArchiveReader(store: store).find(try #require(result.outcomes.first).id) != nil)
  }

  @Test func aNamedCallIsToldByItsIDAlone() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    func lines(_ number: Int, _ id: String, _ data: String) -> String {
      ##"{"t_ns":1,"call":\##(number),"ev":"open","call_id":"\##(id)"}"## + "\n"
        + ##"{"t_ns":2,"call":\##(number),"ev":"frame","raw":"data: \##(data)\n\n"}"## + "\n"
        + ##"{"t_ns":3,"call":\##(number),"ev":"end","how":"done"}"## + "\n"
    }
    let (first, second) = ("01JD0Z6Q8R3T5V7W9XABCDEFGH", "01JD0Z6Q8R3T5V7W9XABCDEFGJ")
    let outcomes = try store.importing(scratch.file("a.jsonl", lines(0, first, "x") + lines(1, second, "x")))
    #expect(outcomes.map(\.id.description) == [first, second])
    #expect(outcomes.map(\.isNew) == [true, true])
    #expect(try store.calls().count == 2)
    let again = try store.importing(scratch.file("b.jsonl", lines(0, second, "y")))
    #expect(again == [Importer.Outcome(id: outcomes[1].id, isNew: false)])
    #expect(
      try store.importing(scratch.file("b.jsonl", lines(0, second, "y")), .init(again: true)).map(\.isNew) == [true])
  }

  /// One segment that cannot be read stops neither imports nor the search for a call.
  @Test func aDamagedSegmentStopsNoImport() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let first = try store.importing(scratch.file("a.jsonl", twoCalls))
    _ = try Sealer(store: store, log: quiet).seal()
    let damaged = try #require(try store.files.list(store.archivePath).first)
    let other = try store.importing(scratch.file("b.sse", "data: {\"created\":1700000000}\n\n"))
    _ = try Sealer(store: store, log: quiet).seal()
    try Data("no segment, and long enough to be one".utf8).write(
      to: URL(fileURLWithPath: store.archivePath + "/" + damaged))
    #expect(try store.importing(scratch.file("b.sse", "data: {\"created\":1700000000}\n\n")).map(\.isNew) == [false])
    #expect(try store.importing(scratch.file("c.sse", "data: 1\n\n")).map(\.isNew) == [true])
    let reader = ArchiveReader(store: store)
    #expect(try reader.find(other[0].id)?.call.open.id == other[0].id)
    let error = #expect(throws: TapeError.self) { try reader.find(first[0].id) }
    #expect(error?.code == .corrupt)
    #expect(error?.description.contains(damaged) == true)
  }

  @Test func secretsInACaptureAreNotKept() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let text =
      #"{"t_ns":1,"call":0,"ev":"open","path":"/x?api_key=hunter2","headers":{"Authorization":"Bearer hunter2"}}"#
    _ = try store.importing(scratch.file("a.jsonl", text))
    let open = try #require(store.calls().values.first?.open)
    #expect(!"\(open)".contains("hunter2"))
    #expect(open.redactions.contains("header:authorization"))
    #expect(open.keyFingerprint != nil)
  }
}

/// Export and import: the same calls, the same ids, the same leaf hashes.
@Suite struct ExportImportTests {
  /// Calls of every kind, recorded side by side.
  private func record(_ store: Store, seed: UInt64) throws {
    var generator = Seeded(state: seed)
    let writer = try JournalWriter(store: store, log: quiet)
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) } }
    let bodies: [[UInt8]] = [
      [], Array("{\"a\":[1,2.50,\"é\"]}".utf8), Array("{ \"spaced\": true }".utf8), bytes(40), Array("null".utf8),
      Array("plain \"text\"\n".utf8),
    ]
    var handles: [JournalWriter.Handle] = []
    for index in 0..<12 {
      let started = 1_767_225_600_000_000_000 + Int64(index * 1000)
      let open = CallOpen(
        id: CallID(milliseconds: UInt64(started / 1_000_000), using: &generator), startedAtNs: started,
        origin: [.proxy, .record, .library][index % 3], upstream: "https://u", path: "/p?key=[redacted]",
        headers: [HeaderField("Authorization", "[redacted]"), HeaderField("X-Ü", "\u{0}\n\"")],
        body: bodies[index % bodies.count],
        keyFingerprint: index % 2 == 0 ? "0011223344556677" : nil, hasTimes: index % 4 != 3,
        redactions: ["header:authorization", "query:key"], salt: bytes(16))
      handles.append(writer.open(open))
      if index % 5 != 4 {
        let head = CallHead(
          offsetNs: index % 4 != 3 ? 7 : nil, status: 200 + index, httpVersion: "2",
          headers: [HeaderField("content-type", "text/event-stream"), HeaderField("Set-Cookie", "[redacted]")],
          decoded: index == 2 ? "gzip" : nil)
        writer.head(handles[index], head)
      }
    }
    for step in 0..<200 {
      let index = Int.random(in: 0..<12, using: &generator)
      let frame = step % 7 == 0 ? bytes(step % 50) : Array("data: {\"n\":\(step),\"t\":\"a\\\"é\u{1}\"}\n\n".utf8)
      frame.withUnsafeBytes { writer.frame(handles[index], offsetNs: index % 4 == 3 ? nil : Int64(step * 1_000), $0) }
    }
    for index in 0..<12 where index % 6 != 5 {
      let causes: [CallEnd.Cause] = [
        .endOfBody, .clientClosed, .upstreamClosed, .timeout, .upstreamFailed, .archiveStopped,
      ]
      writer.end(
        handles[index], offsetNs: index % 4 == 3 ? nil : 300_000, cause: causes[index % 6],
        detail: index % 2 == 0 ? "why \"not\"" : nil, clientClosedNs: index == 1 ? 5 : nil,
        clockStepNs: Int64(index) * 10)
    }
    try writer.close()
  }

  @Test(arguments: [1, 2, 3]) func leafHashesAndIDsStayTheSame(seed: UInt64) throws {
    let scratch = try Scratch()
    let (first, second) = (try scratch.store("a"), try scratch.store("b"))
    try record(first, seed: seed)
    if seed == 2 { _ = try Sealer(store: first, log: quiet).seal() }
    let capture = try first.exported()
    let outcomes = try second.importing(scratch.file("x.jsonl", capture))
    let (before, after) = (try first.calls(), try second.calls())
    #expect(Set(outcomes.map(\.id)) == Set(before.keys))
    #expect(before.count == 12)
    for (id, call) in before {
      #expect(after[id] == call)
      #expect(after[id].map(leafHash) == leafHash(of: call))
    }
    // And once more, to the byte.
    #expect(try second.exported() == capture)
    // The times in the file never fall.
    var last = 0
    for line in capture.split(separator: 0x0A) {
      let value = try JSONValue(parsing: Array(line))
      let time = try #require(value["t_ns"]?.integer)
      if value["ev"]?.string == "open" || value["ev"]?.string == "frame" { #expect(time >= 0) }
      last = max(last, time)
    }
    #expect(last > 0)
  }

  @Test func anImportedCaptureIsExportedInItsOrder() throws {
    let scratch = try Scratch()
    let store = try scratch.store()
    let lines = [
      #"{"t_ns":10,"call":0,"ev":"open","request":{"a":1}}"#, #"{"t_ns":20,"call":1,"ev":"open","request":{"a":2}}"#,
      #"{"t_ns":30,"call":1,"ev":"frame","raw":"data: 1\n\n"}"#,
      #"{"t_ns":40,"call":0,"ev":"frame","raw":"data: 2\n\n"}"#,
      #"{"t_ns":50,"call":1,"ev":"end","how":"done"}"#, #"{"t_ns":60,"call":0,"ev":"end","how":"done"}"#,
    ]
    _ = try store.importing(scratch.file("a.jsonl", lines.joined(separator: "\n")))
    let events = try store.exported().split(separator: 0x0A).map { line in
      let value = try JSONValue(parsing: Array(line))
      return "\(value["t_ns"]?.integer ?? 0) \(value["call"]?.integer ?? -1) \(value["ev"]?.string ?? "")"
    }
    #expect(events == ["10 0 open", "20 1 open", "30 1 frame", "40 0 frame", "50 1 end", "60 0 end"])
  }
}
