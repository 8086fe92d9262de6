import TapeArchive
import TapeIndexer
import TapeJSON
import TapeQuery
import TapeTestSupport
import TapeTypes
import Testing

@testable import TapeWeb

/// What somebody who looks on is told of.
@Suite struct LiveCallsTests {
  private static let start: Int64 = 1_795_176_000_000_000_000
  private let test: TestStore

  init() throws {
    test = try TestStore()
    try index()
  }

  private func index() throws { try Indexer(store: test.store, log: test.log).run() }

  private func record(_ numbers: ClosedRange<Int>) throws {
    let writer = try test.writer()
    for number in numbers { call(number).record(with: writer) }
    _ = writer.flush()
    try writer.close()
    try index()
  }

  private func call(_ number: Int) -> TestCall {
    .text(number, startedAt: Self.start + Int64(number) * 1_000_000_000)
  }

  private func ids(_ news: LiveCalls.News) -> [String] { news.calls.compactMap { $0["call_id"]?.string } }

  @Test func onlyWhatCameSinceIsTold() throws {
    try record(1...3)
    let engine = try QueryEngine(store: test.store)
    var live = LiveCalls(filter: CallFilter(), most: 10)
    #expect(try ids(live.update(engine)) == [])
    try record(4...6)
    #expect(try ids(live.update(engine)) == [4, 5, 6].map { call($0).id.description })
    #expect(try ids(live.update(engine)) == [])
  }

  @Test(arguments: [0, 3]) func whatIsTooMuchIsCounted(before: Int) throws {
    if before > 0 { try record(1...before) }
    let engine = try QueryEngine(store: test.store)
    var live = LiveCalls(filter: CallFilter(), most: 10)
    #expect(try live.update(engine).skipped == 0)
    try record(101...110)
    let whole = try live.update(engine)
    #expect(ids(whole).count == 10 && whole.skipped == 0)
    try record(201...237)
    let cut = try live.update(engine)
    #expect(ids(cut) == (228...237).map { call($0).id.description })
    #expect(cut.skipped == 27 && !cut.isMore)
    #expect(try live.update(engine).skipped == 0)
  }

  @Test func aCallThatEndsLongAfterIsTold() throws {
    let writer = try test.writer()
    let long = call(1)
    let handle = long.begin(with: writer)
    _ = writer.flush()
    try index()
    let engine = try QueryEngine(store: test.store)
    var live = LiveCalls(filter: CallFilter(), most: 2)
    #expect(try ids(live.update(engine)) == [])
    for number in 2...9 { call(number).record(with: writer) }
    _ = writer.flush()
    try index()
    #expect(try ids(live.update(engine)) == [8, 9].map { call($0).id.description })
    long.addFrames(0..<long.frames.count, handle, with: writer)
    long.end(handle, with: writer)
    _ = writer.flush()
    try index()
    let news = try live.update(engine)
    #expect(ids(news) == [long.id.description] && news.calls.first?["state"] == "done")
    try writer.close()
  }
}
