import TapeArchive
import TapeCatalogue
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeIndexer

@Suite struct IndexerTests {
  private func indexer(_ test: TestStore) -> Indexer { Indexer(store: test.store, log: test.log) }

  /// A store with one call of every kind, indexed.
  private func sampleStore() throws -> TestStore {
    let test = try TestStore()
    let writer = try test.writer()
    for call in sampleCalls() { call.record(with: writer) }
    _ = writer.flush()
    try writer.close()
    try indexer(test).run()
    return test
  }

  @Test(arguments: [false, true]) func progressRisesToTheSizeOfTheArchive(rebuild: Bool) throws {
    let test = try TestStore()
    let writer = try test.writer()
    for call in sampleCalls() { call.record(with: writer) }
    _ = writer.flush()
    try writer.close()
    var seen: [IndexProgress] = []
    try indexer(test).run(rebuild: rebuild) { seen.append($0) }
    #expect(seen.count > sampleCalls().count, "also within a journal")
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.doneBytes <= $1.doneBytes && $1.doneBytes <= $1.totalBytes })
    #expect(seen.last?.doneBytes == seen.last?.totalBytes && seen.last?.calls == sampleCalls().count)
  }

  @Test func eachKindOfCallHasItsState() throws {
    let test = try sampleStore()
    let states = try rows(test.store.cataloguePath, "SELECT state FROM calls ORDER BY started_ns").map { $0[0] }
    let expected: [CallState] = [
      .done, .done, .upstreamError, .clientAbort, .upstreamError, .upstreamError, .upstreamCut, .timeout, .done, .done,
      .lost,
    ]
    #expect(states == expected.map { .text($0.rawValue) })
  }

  @Test func aRowHasWhatRequestAndStreamSay() throws {
    let test = try sampleStore()
    let call = sampleCalls()[0]
    let columns = [
      "call_id", "response_id", "trace_id", "span_id", "thread_id", "thread_tags", "identity_id", "identity_name",
      "identity_email", "identity_tags", "identity_logo_url", "identity_metadata", "deployment", "metadata", "inputs",
      "context", "model", "provider", "object", "content_mode", "text", "finish_reason", "http_status", "end_cause",
      "upstream", "redactions", "started_at", "day",
    ]
    let row = try rows(
      test.store.cataloguePath, "SELECT \(columns.joined(separator: ", ")) FROM v_calls WHERE call_id = ?",
      [.text(call.id.description)])
    let expected: [SQLValue] = [
      .text(call.id.description), .text(call.responseID), .text(call.traceID), .text(call.spanID), .text("thread-1"),
      .text(#"["billing","urgent","billing"]"#), .text("ada"), .text("Ada L."), .text("ada@example.com"),
      .text(#"["beta","eu"]"#), .text("https://example.com/a.png"), .text(#"{"plan":"pro"}"#), .text("support-bot"),
      .text(#"{"team":"blue","retries":3,"dry":true}"#), .text(#"{"name":"Ada"}"#), .text(#"{"env":"test"}"#),
      .text("gpt-4o"), .text("openai"), .text("chat"), .text("delta"), .text("Hello"), .text("stop"), .integer(200),
      .text("end_of_body"), .text("http://127.0.0.1:9"), .text(#"["header:authorization"]"#),
      .text("2026-11-20T12:00:01.000000000Z"), .text("2026-11-20"),
    ]
    #expect(row == [expected])
  }

  @Test func usageTimesAndSizesAreNumbers() throws {
    let test = try sampleStore()
    let call = sampleCalls()[0]
    let row = try rows(
      test.store.cataloguePath,
      """
      SELECT prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens, usage_frame, has_usage,
        first_byte_ns, first_frame_ns, first_content_ns, duration_ns, longest_gap_ns, frames, bytes, complete, mock,
        gap_frames FROM calls ORDER BY started_ns LIMIT 1
      """)
    let bytes = call.frames.reduce(0) { $0 + $1.count }
    let expected: [Int] = [
      100, 20, 120, 64, 5, 2, 1, 1_000_000, 11_000_000, 11_000_000, 41_000_000, 10_000_000, 4, bytes, 1, 0, 0,
    ]
    #expect(row == [expected.map { .integer(Int64($0)) }])
  }

  @Test func whatIsNotKnownIsNull() throws {
    let test = try sampleStore()
    let untimed = try rows(
      test.store.cataloguePath,
      "SELECT first_byte_ns, first_frame_ns, first_content_ns, duration_ns, longest_gap_ns FROM calls WHERE origin = 'import'"
    )
    #expect(untimed == [[.null, .null, .null, .null, .null]])
    let lost = try rows(
      test.store.cataloguePath,
      "SELECT duration_ns, end_cause, prompt_tokens, identity_id, thread_tags, metadata FROM calls WHERE state = 'lost'"
    )
    #expect(lost == [[.null, .null, .null, .null, .null, .null]])
    let refused = try rows(
      test.store.cataloguePath,
      "SELECT http_status, trace_id, traceparent_trace_id, identity_id, model, text FROM calls WHERE end_cause = 'upstream_failed'"
    )
    #expect(
      refused == [[.null, .null, .text("4bf92f3577b34da6a3ce929d0e0e4736"), .text("grace"), .null, .null]])
  }

  @Test func tagsAreRowsOfTheirOwnAndOnce() throws {
    let test = try sampleStore()
    let tags = try rows(test.store.cataloguePath, "SELECT kind, tag FROM v_call_tags ORDER BY kind, tag")
    #expect(
      tags == [
        [.text("identity"), .text("beta")], [.text("identity"), .text("eu")], [.text("thread"), .text("billing")],
        [.text("thread"), .text("urgent")],
      ])
  }

  @Test func viewsAddUp() throws {
    let test = try sampleStore()
    let path = test.store.cataloguePath
    let identities = try rows(path, "SELECT identity_id, display_name, email, calls FROM v_identities ORDER BY 1")
    #expect(
      identities == [
        [.text("ada"), .text("Ada L."), .text("ada@example.com"), .integer(1)],
        [.text("bob"), .null, .null, .integer(1)], [.text("grace"), .null, .null, .integer(1)],
      ])
    // The mock call is left out.
    let daily = try rows(path, "SELECT sum(calls), sum(errors), sum(aborts), sum(prompt_tokens) FROM v_usage_daily")
    #expect(daily == [[.integer(10), .integer(6), .integer(1), .integer(110)]])
    #expect(try rows(path, "SELECT thread_id, calls FROM v_threads") == [[.text("thread-1"), .integer(1)]])
    #expect(
      try rows(path, "SELECT trace_id, calls FROM v_traces ORDER BY calls DESC, 1 LIMIT 1").first?[1] == .integer(9))
    let kinds = try rows(path, "SELECT DISTINCT kind FROM v_defects WHERE state = 'upstream_error' ORDER BY 1")
    #expect(kinds.contains([.text("error_frame")]))
  }

  @Test func everyTextIsFoundInAnyScript() throws {
    let test = try sampleStore()
    func found(_ phrase: String) throws -> [SQLValue] {
      let query = try #require(FullText.query(phrase: phrase))
      return try rows(
        test.store.cataloguePath,
        "SELECT c.started_ns FROM call_fts JOIN calls c ON c.call_key = call_fts.rowid WHERE call_fts MATCH ? ORDER BY 1",
        [.text(query)]
      ).map { $0[0] }
    }
    let first = SQLValue.integer(noon + second)
    let untimed = SQLValue.integer(noon + 9 * second)
    #expect(try found("数据") == [first, untimed])
    #expect(try found("数据处理") == [first, untimed])
    #expect(try found("处理完成") == [untimed])
    #expect(try found("据数").isEmpty)
    #expect(try found("Refund POLICY") == [first])
    #expect(try found("policy refund").isEmpty)
    #expect(try found("get_weather") == [.integer(noon + 2 * second)])
  }

  @Test func indexingAgainChangesNothing() throws {
    let test = try sampleStore()
    let before = try dump(test.store.cataloguePath)
    let report = try indexer(test).run()
    #expect(report.calls == 0)
    #expect(difference(before, try dump(test.store.cataloguePath)) == [])
  }

  @Test func aRebuildGivesTheSameCatalogue() throws {
    let test = try sampleStore()
    let before = try dump(test.store.cataloguePath)
    let report = try indexer(test).run(rebuild: true)
    #expect(report.calls == 11)
    #expect(difference(before, try dump(test.store.cataloguePath)) == [])
  }

  /// Frame by frame with an index run after each, two writers at once, against one run over all of it.
  @Test func smallStepsAndOneRunGiveTheSameCatalogue() throws {
    let test = try TestStore()
    let calls = sampleCalls()
    let writers = [try test.writer(), try test.writer(rollBytes: 2_000)]
    for (number, call) in calls.enumerated() {
      let writer = writers[number % 2]
      let handle = call.begin(with: writer)
      for index in 0..<call.frames.count {
        call.addFrames(index..<index + 1, handle, with: writer)
        _ = writer.flush()
        if (number + index) % 2 == 0 { try indexer(test).run() }
      }
      call.end(handle, with: writer)
      _ = writer.flush()
      try indexer(test).run()
    }
    for writer in writers { try writer.close() }
    try indexer(test).run()
    let steps = try dump(test.store.cataloguePath)
    try indexer(test).run(rebuild: true)
    #expect(difference(steps, try dump(test.store.cataloguePath)) == [])
  }

  @Test func sealingChangesOnlyWhereCallsLie() throws {
    let test = try sampleStore()
    let hidden: Set = ["sources", "archive_file", "archive_offset"]
    let before = try dump(test.store.cataloguePath, without: hidden)
    let report = try Sealer(store: test.store, log: test.log).seal()
    #expect(report.sealedCalls == 11)
    let indexed = try indexer(test).run()
    #expect(indexed.calls == 0)
    #expect(indexed.movedCalls == 11)
    #expect(difference(before, try dump(test.store.cataloguePath, without: hidden)) == [])
    let files = try rows(test.store.cataloguePath, "SELECT DISTINCT substr(archive_file, 1, 2) FROM calls")
    #expect(files == [[.text("S-")]])

    let moved = try dump(test.store.cataloguePath)
    try indexer(test).run(rebuild: true)
    #expect(difference(moved, try dump(test.store.cataloguePath)) == [])
  }

  @Test func aCallIsOpenThenEnds() throws {
    let test = try TestStore()
    let call = TestCall.text(1, startedAt: noon, request: fullRequest)
    let writer = try test.writer()
    let handle = call.begin(with: writer)
    call.addFrames(0..<1, handle, with: writer)
    _ = writer.flush()
    try indexer(test).run()
    let columns = "SELECT state, text, frames, duration_ns, leaf_hash, identity_id FROM calls"
    #expect(
      try rows(test.store.cataloguePath, columns)
        == [[.text("open"), .text("Hel"), .integer(1), .null, .null, .text("ada")]])

    call.addFrames(1..<call.frames.count, handle, with: writer)
    call.end(handle, with: writer)
    _ = writer.flush()
    try indexer(test).run()
    let ended = try rows(test.store.cataloguePath, columns)
    #expect(ended.count == 1)
    #expect(Array(ended[0].prefix(4)) == [.text("done"), .text("Hello"), .integer(4), .integer(41_000_000)])
    try writer.close()
  }

  @Test func anOpenCallIsLostWhenItsWriterIsGone() throws {
    let test = try TestStore()
    let writer = try test.writer()
    TestCall.unfinished(1, startedAt: noon, cause: nil).record(with: writer)
    _ = writer.flush()
    try indexer(test).run()
    #expect(try rows(test.store.cataloguePath, "SELECT state FROM calls") == [[.text("open")]])
    try writer.close()
    try indexer(test).run()
    #expect(try rows(test.store.cataloguePath, "SELECT state FROM calls") == [[.text("lost")]])
  }
}
